// Boundaries of cells: fetched tile by tile where few enough cells are in view, drawn in place of points, and picked.

import { matrixOf, toTissue } from "./geometry.js";
import { Mesh } from "./mesh.js";
import { projection } from "./renderer.js";
import { ask, Expired, load } from "./store.js";

/**
 * @import { Boundaries as Source, Box, Point } from "./contract"
 * @import { View } from "./geometry.js"
 * @import { Loaded } from "./map.js"
 * @import { Colouring, Renderer } from "./renderer.js"
 */

/**
 * A tile, as the server says it.
 *
 * @typedef {object} Tile
 * @property {string} name
 * @property {number} n polygons
 * @property {number} corners
 * @property {[number, number, number, number]} box left, top, right and bottom on the tissue
 * @property {Point} origin
 * @property {number} step
 * @property {"asked" | "refused" | Mesh} [state]
 * @property {number} [used] when it was drawn last, in frames
 */

/**
 * What is known of the boundaries of a panel.
 *
 * @typedef {object} Known
 * @property {Source} source
 * @property {number} n cells of the section
 * @property {Tile[][] | null} levels once they have come
 * @property {boolean} asked whether they are on their way
 * @property {number} each tiles of level 0 that one of level 1 covers
 * @property {Uint8Array} drawn whether each cell, by its place, is drawn by its boundary
 * @property {number} version of these
 * @property {{ name: string, array: Uint32Array } | null} rest places of the other cells
 */

/**
 * What of a panel is drawn in a frame.
 *
 * @typedef {object} Shown
 * @property {Mesh[]} meshes
 * @property {boolean} fine whether cells are large enough for lines along their boundaries
 * @property {number} corners
 * @property {{ name: string, array: Uint32Array }} rest places of the cells that stay points
 */

export const MOST_CELLS = 160_000; // in view; where there are more, all are points
const SLACK = 1.1; // so many times more must be in view before boundaries go again
const FINE = 8; // pixels between cells, from which on they have all their corners
const MOST_CORNERS = 4_000_000; // kept on the graphics card
const AGAIN_MS = 3000; // after which what could not be fetched is asked for again
const WAIT_MS = 400; // for tiles that are on their way, before those that are there are drawn

export class Boundaries {
  /**
   * @param {() => void} arrived called when more can be drawn
   * @param {() => void} expired called when addresses are good no longer
   */
  constructor(arrived, expired) {
    this.arrived = arrived;
    this.expired = expired;
    /** @type {Map<string, Known>} */
    this.known = new Map(); // by path
    /** @type {(Known | null)[]} */
    this.panels = [];
    /** @type {(Shown | null)[]} */
    this.shown = []; // of each panel in the frame being drawn; null where cells are points
    this.pending = 0; // tiles on their way
    this.frame = 0;
    this.timer = 0;
    this.on = false; // whether few enough are in view
    this.lacking = false; // whether tiles are to be fetched once the hand rests
  }

  /** @param {Loaded[]} panels */
  take(panels) {
    const before = this.known;
    this.known = new Map();
    this.panels = panels.map(({ boundaries: source, n }) => {
      if (!source) return null;
      const known = before.get(source.path) ?? {
        ...{ n, levels: null, asked: false, each: 1, version: 0, rest: null },
        drawn: new Uint8Array(n),
        source,
      };
      known.source = source; // signed anew
      this.known.set(source.path, known);
      return known;
    });
    this.shown = panels.map(() => null);
    for (const known of this.known.values()) if (!known.levels && !known.asked) this.open(known);
  }

  /** Names of what should stay on the graphics card. */
  names() {
    const names = new Set();
    for (const { levels, rest } of this.known.values()) {
      if (rest) names.add(rest.name);
      for (const { name, state } of levels?.flat() ?? [])
        if (state instanceof Mesh)
          for (const part of ["corners", "triangles", "edges"]) names.add(`${name}/${part}`);
    }
    return names;
  }

  /** Corners that a frame draws. */
  get corners() {
    return this.shown.reduce((sum, shown) => sum + (shown?.corners ?? 0), 0);
  }

  /** Cells that a frame draws by their boundaries. */
  get drawn() {
    return this.shown.reduce(
      (sum, shown) => sum + (shown?.meshes ?? []).reduce((n, mesh) => n + mesh.n, 0),
      0,
    );
  }

  /** @param {Known} known */
  async open(known) {
    known.asked = true;
    try {
      const { path, query } = known.source;
      const said = await (await ask(`${path}/index?${query}`, {})).json();
      known.each = said.sizes[1] / said.sizes[0];
      known.levels = said.levels;
      this.arrived();
    } catch (error) {
      if (error instanceof Expired) this.expired();
      // Its cells stay points meanwhile.
      else setTimeout(() => this.known.has(known.source.path) && this.open(known), AGAIN_MS);
    }
    known.asked = Boolean(known.levels);
  }

  /**
   * Settle what each panel draws; `fetch` what is missing.
   *
   * @type {(panels: Loaded[], views: View[], boxes: Box[], wanted: boolean, fetch: boolean) => void}
   */
  look(panels, views, boxes, wanted, fetch) {
    this.frame++;
    this.lacking = false;
    const windows = views.map((view, i) => windowOf(view, boxes[i]));
    const inView = this.panels.map((known, i) =>
      (known?.levels?.[0] ?? []).reduce((sum, tile) => sum + (meets(tile.box, windows[i]) ? tile.n : 0), 0),
    );
    const total = inView.reduce((sum, n) => sum + n, 0);
    this.on = wanted && total > 0 && total <= MOST_CELLS * (this.on ? SLACK : 1);
    this.shown = this.panels.map((known, i) => {
      if (!known?.levels || !this.on || !inView[i]) return null;
      const fine = (panels[i].diameter / 1.7) * views[i].scale >= FINE;
      return this.settle(known, known.levels, windows[i], fine, fetch);
    });
  }

  /**
   * Of each tile of level 1 in view: its cells with all corners, if these are there and wanted; or with few.
   *
   * @type {(known: Known, levels: Tile[][], window: Box, fine: boolean, fetch: boolean) => Shown | null}
   */
  settle(known, [whole, few], window, fine, fetch) {
    /** @type {Mesh[]} */
    const meshes = [];
    for (const [g, group] of few.entries()) {
      if (!meets(group.box, window)) continue;
      const first = g * known.each;
      const own = whole.slice(first, first + known.each).filter(({ box }) => meets(box, window));
      if (fetch && fine) for (const tile of own) this.want(known, 0, whole.indexOf(tile), tile);
      else if (fetch) this.want(known, 1, g, group);
      else this.lacking ||= (fine ? own : [group]).some(({ state }) => !state);
      const there = own.map(({ state }) => state).filter((state) => state instanceof Mesh);
      const useFew = group.state instanceof Mesh && !(fine && there.length === own.length);
      for (const tile of useFew ? [group] : own) tile.used = this.frame;
      if (useFew && group.state instanceof Mesh) meshes.push(group.state);
      else meshes.push(...there);
    }
    if (!meshes.length) return null;
    known.rest ??= restOf(known);
    const corners = meshes.reduce((sum, mesh) => sum + mesh.corners.length / 2, 0);
    return { meshes, fine, corners, rest: known.rest };
  }

  /** @type {(known: Known, level: number, number: number, tile: Tile) => Promise<void>} */
  async want(known, level, number, tile) {
    if (tile.state) return;
    tile.state = "asked";
    this.pending++;
    try {
      const { path, query } = known.source;
      const bytes = await load({ name: tile.name, url: `${path}/${level}/${number}/${tile.name}?${query}` });
      const mesh = new Mesh(bytes, tile);
      tile.state = mesh;
      tile.used = this.frame;
      for (const place of mesh.places) known.drawn[place] = 1;
      known.rest = null;
    } catch (error) {
      tile.state = "refused";
      if (error instanceof Expired) this.expired();
      setTimeout(() => {
        delete tile.state; // asked again then
        this.arrived();
      }, AGAIN_MS);
    } finally {
      this.pending--;
      this.tell();
    }
  }

  /** Draw once all have come, or some after a while: each drawing is of everything. */
  tell() {
    if (!this.pending) {
      clearTimeout(this.timer);
      this.timer = 0;
      this.arrived();
    } else {
      this.timer ||= setTimeout(() => {
        this.timer = 0;
        this.arrived();
      }, WAIT_MS);
    }
  }

  /**
   * Draw the boundaries of a panel.
   *
   * @param {Renderer} renderer
   * @param {number} i
   * @param {Loaded} panel
   * @param {Colouring & { ranked: boolean }} look
   * @param {View} view
   * @param {Box} box
   */
  draw(renderer, i, { values, predicted }, look, view, box) {
    const shown = this.shown[i];
    if (!shown) return;
    const matrix = matrixOf(view);
    const { meshes, fine } = shown;
    /** @type {("triangles" | "edges")[]} */
    const kinds = fine ? ["triangles", "edges"] : ["triangles"];
    for (const kind of kinds) {
      for (const mesh of meshes) {
        const project = projection(view, matrix, mesh.origin, box);
        for (const k of [0, 1, 4, 5]) project[k] *= mesh.step;
        /**
         * @template {{ name: string, array: Uint8Array | Uint16Array | Float32Array }} Kind
         * @param {Kind} source
         * @returns {Kind}
         */
        const each = (source) => {
          const name = `${mesh.name}/${source.name}`;
          return { ...source, name, array: renderer.has(name) ? source.array : mesh.perCorner(source.array) };
        };
        renderer.drawPolygons(
          {
            corners: { name: `${mesh.name}/corners`, array: mesh.corners },
            elements: { name: `${mesh.name}/${kind}`, array: mesh[kind] },
            values: each(values),
            predicted: predicted && each(predicted),
            lines: kind === "edges",
          },
          { ...look, hollow: look.hollow && fine, project, size: 1 },
        );
      }
    }
  }

  /**
   * Once a frame is drawn: forget the tiles that were not seen for longest.
   *
   * @param {Renderer} renderer
   */
  tidy(renderer) {
    const there = [...this.known.values()].flatMap((known) =>
      (known.levels ?? []).flat().flatMap((tile) => (tile.state instanceof Mesh ? [{ known, tile }] : [])),
    );
    let corners = there.reduce((sum, { tile }) => sum + tile.corners, 0);
    if (corners <= MOST_CORNERS) return;
    there.sort((a, b) => (a.tile.used ?? 0) - (b.tile.used ?? 0));
    const changed = new Set();
    for (const { known, tile } of there) {
      if (corners <= MOST_CORNERS || tile.used === this.frame) break;
      corners -= tile.corners;
      delete tile.state;
      renderer.drop(`${tile.name}/`);
      changed.add(known);
    }
    for (const known of changed) remember(known);
  }

  /**
   * The cell whose boundary a place of the tissue lies in, of those that are shown; -1 for none. Null as long as
   * boundaries there are on their way: of some the few corners alone are there.
   *
   * @type {(i: number, x: number, y: number, above: (a: number, b: number) => boolean) => number | null}
   */
  at(i, x, y, above) {
    const known = this.panels[i];
    let found = -1;
    let waits = false;
    for (const [number, tile] of known?.levels?.[0].entries() ?? []) {
      if (x < tile.box[0] || y < tile.box[1] || x > tile.box[2] || y > tile.box[3]) continue;
      if (known && !tile.state) this.want(known, 0, number, tile);
      waits ||= tile.state === "asked";
      if (!(tile.state instanceof Mesh)) continue;
      tile.used = this.frame;
      tile.state.at(x, y, (place) => {
        if (above(place, found)) found = place;
      });
    }
    return waits ? null : found;
  }

  /**
   * Whether a cell is drawn by its boundary.
   *
   * @type {(i: number, place: number) => boolean}
   */
  has(i, place) {
    return Boolean(this.shown[i] && this.panels[i]?.drawn[place]);
  }
}

/**
 * Mark the cells that are drawn by their boundaries.
 *
 * @param {Known} known
 */
function remember(known) {
  known.drawn.fill(0);
  for (const { state } of (known.levels ?? []).flat())
    if (state instanceof Mesh) for (const place of state.places) known.drawn[place] = 1;
  known.rest = null;
}

/** @param {Known} known */
function restOf({ drawn, source, n }) {
  const places = new Uint32Array(n);
  let at = 0;
  for (let place = 0; place < n; place++) if (!drawn[place]) places[at++] = place;
  return { name: `${source.path}/rest/${performance.now()}`, array: places.slice(0, at) };
}

/**
 * The smallest box along the axes around what is seen of the tissue.
 *
 * @type {(view: View, box: Box) => Box}
 */
function windowOf(view, box) {
  const corners = [0, 1, 2, 3].map((k) =>
    toTissue(view, box, [box.left + (k & 1) * box.width, box.top + (k >> 1) * box.height]),
  );
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top };
}

/** @type {(tile: number[], window: Box) => boolean} */
function meets([left, top, right, bottom], window) {
  return (
    left <= window.left + window.width &&
    right >= window.left &&
    top <= window.top + window.height &&
    bottom >= window.top
  );
}
