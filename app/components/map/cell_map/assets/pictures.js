// Pictures under the cells, tile by tile: those that are seen, at the size they are seen at.

import { matrixOf, toTissue } from "./geometry.js";
import { projection } from "./renderer.js";

/**
 * @import { Box, ImageLook, Picture, Point } from "./contract"
 * @import { View } from "./geometry.js"
 * @import { Renderer, Tile } from "./renderer.js"
 */

const KEPT = 160; // tiles on the graphics card, and all that are seen

export class Pictures {
  /** @param {() => void} arrived called when a tile has come */
  constructor(arrived) {
    this.arrived = arrived;
    /** @type {{ picture: Picture | null }[]} */
    this.panels = [];
    /** @type {Map<string, "asked" | "there">} */
    this.tiles = new Map(); // by name, whether it is on the card; in the order of last use
    /** @type {Set<string>} */
    this.wanted = new Set(); // in the frame being drawn
  }

  /** @param {{ picture: Picture | null }[]} panels */
  take(panels) {
    this.panels = panels;
  }

  /** The card has lost everything. */
  forget() {
    this.tiles.clear();
  }

  /**
   * @param {Renderer} renderer
   * @param {number} i
   * @param {View} view
   * @param {Box} box
   * @param {ImageLook} image
   * @param {number[]} ground
   */
  draw(renderer, i, view, box, image, ground) {
    const picture = this.panels[i]?.picture;
    if (!picture || !image.shown || !image.opacity) return;
    const [a, b, c, d, e, f] = picture.affine; // x = a column + b row + c, y = d column + e row + f
    const perPixel = Math.sqrt(Math.abs(a * e - b * d)) * view.scale; // screen pixels of a picture's pixel
    const level = Math.max(
      0,
      Math.min(picture.levels - 1, Math.floor(-Math.log2(perPixel * (window.devicePixelRatio || 1)))),
    );
    const project = projection(view, matrixOf(view), [0, 0], box);
    const back = (/** @type {Point} */ [x, y]) => {
      const det = a * e - b * d;
      return [(e * (x - c) - b * (y - f)) / det, (-d * (x - c) + a * (y - f)) / det];
    };
    const seen = [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ].map(([u, v]) => back(toTissue(view, box, [box.left + u * box.width, box.top + v * box.height])));
    // From the coarsest level up, so that something is there while finer tiles are on their way.
    for (let l = picture.levels - 1; l >= level; l--) {
      const ask = l === level || l === picture.levels - 1;
      this.drawLevel(picture, l, seen, ask, {
        show: (name, place) => renderer.drawTile(name, place, project, image.opacity, ground),
        load: (name) => this.load(renderer, picture, name),
      });
    }
  }

  /**
   * Once all panels of a frame are drawn: forget the tiles that were not seen for longest.
   *
   * @param {Renderer} renderer
   */
  tidy(renderer) {
    for (const [name, state] of this.tiles) {
      if (this.tiles.size <= KEPT || this.wanted.has(name)) break;
      if (state === "there") renderer.dropPicture(name);
      this.tiles.delete(name);
    }
    this.wanted.clear();
  }

  /**
   * @param {Picture} picture
   * @param {number} level
   * @param {number[][]} seen columns and rows of what is seen
   * @param {boolean} ask for tiles that are not there
   * @param {{ show: (name: string, place: Tile) => void, load: (name: string) => void }} how
   */
  drawLevel(picture, level, seen, ask, how) {
    const [a, b, c, d, e, f] = picture.affine;
    const side = picture.tile * 2 ** level; // of a tile, in pixels of the whole picture
    const ends = (/** @type {0 | 1} */ axis, /** @type {number} */ size) => {
      const values = seen.map((corner) => corner[axis]);
      const last = Math.ceil(size / side) - 1;
      return [
        Math.max(0, Math.floor(Math.min(...values) / side)),
        Math.min(last, Math.floor(Math.max(...values) / side)),
      ];
    };
    const [left, right] = ends(0, picture.width);
    const [top, bottom] = ends(1, picture.height);
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const name = `${picture.id}/${level}/${column}/${row}`;
        const state = this.tiles.get(name) ?? (ask && "asked");
        if (!state) continue;
        if (!this.tiles.has(name)) how.load(name);
        this.tiles.delete(name);
        this.tiles.set(name, state);
        this.wanted.add(name);
        if (state !== "there") continue;
        const [x, y] = [column * side, row * side];
        const [w, h] = [Math.min(side, picture.width - x), Math.min(side, picture.height - y)];
        how.show(name, {
          // tiles at the edge hold no more than there is of the picture
          corner: [a * x + b * y + c, d * x + e * y + f],
          across: [a * w, d * w],
          down: [b * h, e * h],
        });
      }
    }
  }

  /** @type {(renderer: Renderer, picture: Picture, name: string) => Promise<void>} */
  async load(renderer, picture, name) {
    try {
      const [, level, column, row] = name.split("/");
      const response = await fetch(`${picture.path}/${level}/${column}/${row}?${picture.query}`);
      if (!response.ok) throw new Error(String(response.status));
      const bitmap = await createImageBitmap(await response.blob(), { premultiplyAlpha: "premultiply" });
      if (!this.tiles.has(name)) return;
      renderer.addPicture(name, bitmap);
      this.tiles.set(name, "there");
      this.arrived();
    } catch {
      setTimeout(() => {
        if (this.tiles.get(name) === "asked") this.tiles.delete(name); // asked again then
      }, 3000);
    }
  }
}
