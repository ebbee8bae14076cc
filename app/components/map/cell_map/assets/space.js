// Levels above one another, seen from anywhere.

import { rgba } from "./colours.js";
import { short } from "./dom.js";
import { AT_FIRST, corners, nearer, project, rotationOf, turned } from "./orbit.js";

/**
 * @import { Camera, Cut, Point, Stack, State } from "./contract"
 * @import { Cell, TissueMap } from "./map.js"
 * @import { Place } from "./orbit.js"
 * @import { Overlay } from "./overlay.js"
 * @import { Renderer } from "./renderer.js"
 * @import { Slider } from "./settings.js"
 */

const GREY = "rgba(128, 128, 128, 0.6)";
const AXES = ["none", "x", "y"];

export class Space {
  /** @param {TissueMap} map */
  constructor(map) {
    this.map = map;
    this.orbit = { ...AT_FIRST };
    this.first = 0; // lowest level that is shown
    this.last = 0; // highest
    /** @type {Cut} */
    this.cut = { axis: 0, share: 0.5 };
    this.stretch = 1;
    this.unit = "unknown";
    /** @type {number[]} */
    this.ticks = []; // heights to write beside the box
    /** @type {number[]} */
    this.levels = []; // height of each panel
    /** @type {Place} */
    this.low = [0, 0, 0]; // a corner of the box, not stretched
    /** @type {Place} */
    this.high = [1, 1, 1]; // the corner opposite
  }

  /**
   * Take what the server describes; `same`: the cells did not change.
   *
   * @param {{ stack: Stack, state: State }} data
   * @param {boolean} same
   */
  take({ stack, state }, same) {
    [this.unit, this.ticks] = [stack.unit, stack.ticks];
    if (same) return;
    const { panels } = this.map;
    this.levels = stack.levels;
    this.stretch = stack.stretch;
    [this.first, this.last] = [0, panels.length - 1];
    /** @type {Place} */
    const low = [Infinity, Infinity, stack.low];
    /** @type {Place} */
    const high = [-Infinity, -Infinity, stack.high];
    for (const { frame } of panels) {
      const [left, top, width, height] = frame;
      [low[0], low[1]] = [Math.min(low[0], left), Math.min(low[1], top)];
      [high[0], high[1]] = [Math.max(high[0], left + width), Math.max(high[1], top + height)];
    }
    [this.low, this.high] = [low, high];
    if (!state.camera) return;
    const { orbit, cut, first, last } = state.camera;
    [this.orbit, this.cut, this.first, this.last] = [orbit, cut, first, last];
    this.stretch = state.camera.stretch;
  }

  /**
   * The middle of the box.
   *
   * @returns {Place}
   */
  get centre() {
    const [x, y, z] = this.low.map((value, i) => (value + this.high[i]) / 2);
    return [x, y, z * this.stretch];
  }

  /**
   * How wide, deep and high the box is.
   *
   * @returns {Place}
   */
  get extent() {
    const [w, h, d] = this.high.map((value, i) => value - this.low[i]);
    return [w, h, d * this.stretch];
  }

  /** Pixels per unit at which the whole box fits however it is turned. */
  get scale() {
    const box = this.map.boxes[0];
    return (Math.min(box.width, box.height) / Math.hypot(...this.extent)) * 0.95;
  }

  reset() {
    this.orbit = { ...AT_FIRST };
  }

  /** @type {(dx: number, dy: number, turn: boolean) => void} */
  move(dx, dy, turn) {
    this.orbit = turn
      ? turned(this.orbit, dx, dy)
      : { ...this.orbit, dx: this.orbit.dx + dx, dy: this.orbit.dy + dy };
    this.map.changed(true);
  }

  /** @type {(point: Point, factor: number) => void} */
  nearer(point, factor) {
    this.orbit = nearer(this.orbit, this.map.boxes[0], point, factor);
    this.map.changed(true);
  }

  /**
   * Where a place is on the screen: right, down and how near.
   *
   * @param {Place} place
   */
  at([x, y, z]) {
    return project(this.orbit, this.centre, this.scale, this.map.boxes[0], [x, y, z * this.stretch]);
  }

  /**
   * The matrix that brings cells, moved by an origin, onto the screen.
   *
   * @param {Point} origin
   */
  projection(origin) {
    const box = this.map.boxes[0];
    const zoom = this.scale * this.orbit.zoom;
    const rows = rotationOf(this.orbit).map((row) => [row[0], row[1], row[2] * this.stretch]);
    const depth = 2 * Math.hypot(...this.extent);
    const factors = [(2 * zoom) / box.width, (-2 * zoom) / box.height, -2 / depth];
    const [x, y, z] = this.centre;
    const offset = [origin[0] - x, origin[1] - y, -z / this.stretch];
    const shift = rows.map((row) => row.reduce((sum, value, i) => sum + value * offset[i], 0));
    const moves = [(2 * this.orbit.dx) / box.width, (-2 * this.orbit.dy) / box.height, 0];
    const column = (/** @type {number} */ i) => [...rows.map((row, k) => factors[k] * row[i]), 0];
    return [
      ...column(0),
      ...column(1),
      ...column(2),
      ...shift.map((value, k) => factors[k] * value + moves[k]),
      1,
    ];
  }

  /**
   * Cells beyond the cutting plane are not drawn.
   *
   * @param {Point} origin
   */
  plane(origin) {
    const { axis, share } = this.cut;
    if (!axis) return [0, 0, 0, 1];
    const i = axis - 1;
    const at = this.low[i] + share * (this.high[i] - this.low[i]) - origin[i];
    return [i === 0 ? 1 : 0, i === 1 ? 1 : 0, 0, -at];
  }

  /** @type {(renderer: Renderer, from: number, to: number) => void} */
  draw(renderer, from, to) {
    const { map } = this;
    const ground = rgba(map.data.style.ground);
    renderer.within(map.boxes[0], from === 0 && ground[3] ? ground : null);
    for (const only of [1, 2]) {
      for (const [i, panel] of map.panels.entries()) {
        if (i < this.first || i > this.last) continue;
        const size = Math.max(2, panel.diameter * map.settings.size * this.scale * this.orbit.zoom * 0.7);
        const look = {
          ...map.lookOf(i),
          project: this.projection(panel.origin),
          cut: this.plane(panel.origin),
          size,
          deep: true,
          ranked: true,
          only,
        };
        renderer.draw(
          { ...panel, height: this.levels[i] },
          look,
          Math.floor(panel.n * from),
          Math.floor(panel.n * to),
        );
      }
    }
  }

  /** @param {Overlay} overlay */
  drawOver(overlay) {
    const { map } = this;
    const box = map.boxes[0];
    overlay.within(box, () => {
      const at = corners(this.low, this.high).map((corner) => this.at(corner));
      overlay.context.strokeStyle = GREY;
      overlay.context.lineWidth = 1;
      for (let i = 0; i < 8; i++) {
        for (const axis of [1, 2, 4]) {
          if (i & axis) continue;
          overlay.context.beginPath();
          overlay.context.moveTo(at[i][0], at[i][1]);
          overlay.context.lineTo(at[i | axis][0], at[i | axis][1]);
          overlay.context.stroke();
        }
      }
      // Names of heights stand on the upright edge farthest to the left.
      const edge = [0, 1, 2, 3].reduce((best, i) => (at[i][0] < at[best][0] ? i : best), 0);
      const [x, y] = [edge & 1 ? this.high[0] : this.low[0], edge & 2 ? this.high[1] : this.low[1]];
      const places = this.ticks.map((z) => this.at([x, y, z])[1]);
      const tall = Math.max(...places) - Math.min(...places);
      const every = Math.ceil(places.length / Math.max(1, Math.min(8, Math.floor(tall / 18))));
      for (const [i, z] of this.ticks.entries()) {
        if (i % every) continue;
        const [sx, sy] = this.at([x, y, z]);
        const words = `${short(z)} µm`;
        overlay.text(
          words,
          Math.max(box.left + 6, sx - 10 - overlay.context.measureText(words).width),
          sy + 4,
        );
      }
      overlay.scaleBar(box, this.scale * this.orbit.zoom, map.panels[0].unit);
      overlay.note(this.words(), box);
    });
    overlay.border(box, false);
  }

  /** What a reader should know of the picture. */
  words() {
    const { axis, share } = this.cut;
    const parts = [heightWords(this.unit, this.stretch)];
    if (axis) parts.push(`cut at ${Math.round(100 * share)} % of ${AXES[axis]}`);
    return parts.filter(Boolean).join(", ");
  }

  /**
   * The cell under a point of the screen that is nearest to the reader.
   *
   * @param {Point} point
   */
  cellAt(point) {
    const { map } = this;
    /** @type {(Cell & { near: number }) | null} */
    let found = null;
    const [sx, sy] = point;
    const centre = this.centre;
    const box = map.boxes[0];
    const zoom = this.scale * this.orbit.zoom;
    const rows = rotationOf(this.orbit);
    for (const [i, panel] of map.panels.entries()) {
      if (i < this.first || i > this.last) continue;
      const { array } = panel.points;
      const reach = Math.max(3, panel.diameter * map.settings.size * zoom * 0.35);
      const [nx, ny, , beyond] = this.plane(panel.origin);
      for (let k = 0; k < panel.n; k++) {
        const dx = array[2 * k] + panel.origin[0] - centre[0];
        const dy = array[2 * k + 1] + panel.origin[1] - centre[1];
        const dz = (panel.heights?.array[k] ?? this.levels[i]) * this.stretch - centre[2];
        const x = box.left + box.width / 2 + this.orbit.dx + zoom * (rows[0][0] * dx + rows[0][1] * dy);
        if (Math.abs(x - sx) > reach) continue;
        const y =
          box.top +
          box.height / 2 +
          this.orbit.dy +
          zoom * (rows[1][0] * dx + rows[1][1] * dy + rows[1][2] * dz);
        if (Math.abs(y - sy) > reach) continue;
        const near = rows[2][0] * dx + rows[2][1] * dy + rows[2][2] * dz;
        if (found && near <= found.near) continue;
        if (nx * array[2 * k] + ny * array[2 * k + 1] + beyond < 0 || !map.isShown(panel, k)) continue;
        found = { panel: i, place: k, at: [x, y], near };
      }
    }
    return found;
  }

  sliders() {
    const n = this.map.panels.length;
    const level = (/** @type {number} */ i) => `${short(this.levels[i])} µm`;
    /** @type {Slider[]} */
    const parts = [
      {
        name: "Height stretched",
        range: [0, Math.log(20), 0.01],
        value: Math.log(this.stretch),
        set: (value) => {
          this.stretch = Math.exp(value);
        },
        words: () => `× ${short(this.stretch)}`,
      },
    ];
    if (n > 1) {
      parts.push(
        {
          name: "Lowest level",
          range: [0, n - 1, 1],
          value: this.first,
          set: (value) => {
            this.first = Math.min(value, this.last);
          },
          words: () => level(this.first),
        },
        {
          name: "Highest level",
          range: [0, n - 1, 1],
          value: this.last,
          set: (value) => {
            this.last = Math.max(value, this.first);
          },
          words: () => level(this.last),
        },
      );
    }
    parts.push(
      {
        name: "Cut across",
        range: [0, 2, 1],
        value: this.cut.axis,
        set: (value) => {
          this.cut = { ...this.cut, axis: value };
        },
        words: () => AXES[this.cut.axis],
      },
      {
        name: "Cut at",
        range: [0, 1, 0.005],
        value: this.cut.share,
        set: (value) => {
          this.cut = { ...this.cut, share: value };
        },
        words: () => `${Math.round(100 * this.cut.share)} %`,
      },
    );
    return parts;
  }

  /**
   * What an export needs to know.
   *
   * @returns {Camera}
   */
  state() {
    const { orbit, first, last, cut, stretch } = this;
    const box = this.map.boxes[0];
    return {
      orbit,
      first,
      last,
      cut,
      stretch,
      scale: this.scale,
      centre: this.centre,
      width: box.width,
      height: box.height,
    };
  }
}

/** @type {(unit: string, stretch: number) => string} */
function heightWords(unit, stretch) {
  if (unit === "unknown") return "height not to scale";
  return Math.abs(stretch - 1) < 1e-3 ? "" : `height drawn × ${short(stretch)}`;
}
