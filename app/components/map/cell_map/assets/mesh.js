// Polygons of the cells of one tile, as `squint/library/boundary_tiles.py` writes them. No DOM here.

/**
 * @import { Point } from "./contract"
 */

export class Mesh {
  /**
   * @param {ArrayBuffer} bytes
   * @param {{ name: string, origin: Point, step: number, box: number[] }} tile
   */
  constructor(bytes, { name, origin, step, box }) {
    this.name = name;
    this.origin = origin;
    this.step = step;
    this.box = box;
    const [n, corners, listed] = new Uint32Array(bytes, 0, 3);
    this.n = n;
    let at = 12;
    const take = (/** @type {number} */ length) => {
      const begin = at;
      at += length;
      return begin;
    };
    this.places = new Uint32Array(bytes, take(4 * n), n);
    this.ends = new Uint32Array(bytes, take(4 * n), n); // of the corners of each
    this.listed = new Uint32Array(bytes, take(12 * listed), 3 * listed); // triangles
    this.corners = new Int16Array(bytes, take(4 * corners), 2 * corners);
    this.own = new Uint8Array(bytes, take(n), n); // whether the triangles of each are listed
    /** @type {Int16Array | null} */
    this.boxes = null; // of each polygon, once one is looked for
    /** @type {Uint32Array | null} */
    this.filled = null; // triangles, once they are drawn
    /** @type {Uint32Array | null} */
    this.lined = null; // edges, once they are drawn
  }

  /** Three corners of each triangle. */
  get triangles() {
    this.filled ??= this.fill();
    return this.filled;
  }

  /** Two corners of each edge. */
  get edges() {
    this.lined ??= this.line();
    return this.lined;
  }

  fill() {
    const { n, ends, own, listed } = this;
    let size = listed.length;
    for (let i = 0, first = 0; i < n; first = ends[i++])
      if (!own[i]) size += 3 * Math.max(0, ends[i] - first - 2);
    const made = new Uint32Array(size);
    made.set(listed);
    let at = listed.length;
    for (let i = 0, first = 0; i < n; first = ends[i++]) {
      if (own[i]) continue;
      for (let k = first + 1; k + 1 < ends[i]; k++) {
        made[at++] = first;
        made[at++] = k;
        made[at++] = k + 1;
      }
    }
    return made;
  }

  line() {
    const { n, ends, corners } = this;
    const made = new Uint32Array(corners.length);
    let at = 0;
    for (let i = 0, first = 0; i < n; first = ends[i++]) {
      for (let k = first; k < ends[i]; k++) {
        made[at++] = k;
        made[at++] = k + 1 < ends[i] ? k + 1 : first;
      }
    }
    return made;
  }

  /**
   * What each corner's cell has, of what each cell has.
   *
   * @template {Uint8Array | Uint16Array | Float32Array} Kind
   * @param {Kind} array
   * @returns {Kind}
   */
  perCorner(array) {
    const { n, ends, places } = this;
    const made = /** @type {Kind} */ (
      new /** @type {new (length: number) => Kind} */ (array.constructor)(this.corners.length / 2)
    );
    for (let i = 0, first = 0; i < n; first = ends[i++]) made.fill(array[places[i]], first, ends[i]);
    return made;
  }

  /**
   * Call back with each polygon that a place of the tissue lies in, or on the border of.
   *
   * @type {(x: number, y: number, found: (place: number) => void) => void}
   */
  at(x, y, found) {
    const [u, v] = [(x - this.origin[0]) / this.step, (y - this.origin[1]) / this.step];
    this.boxes ??= this.measure();
    const { n, ends, boxes } = this;
    for (let i = 0, first = 0; i < n; first = ends[i++]) {
      const k = 4 * i;
      if (u < boxes[k] || v < boxes[k + 1] || u > boxes[k + 2] || v > boxes[k + 3]) continue;
      if (this.contains(first, ends[i], u, v)) found(this.places[i]);
    }
  }

  measure() {
    const { n, ends, corners } = this;
    const boxes = new Int16Array(4 * n);
    for (let i = 0, first = 0; i < n; first = ends[i++]) {
      let [left, top, right, bottom] = [32767, 32767, -32768, -32768];
      for (let k = 2 * first; k < 2 * ends[i]; k += 2) {
        left = Math.min(left, corners[k]);
        right = Math.max(right, corners[k]);
        top = Math.min(top, corners[k + 1]);
        bottom = Math.max(bottom, corners[k + 1]);
      }
      boxes.set([left, top, right, bottom], 4 * i);
    }
    return boxes;
  }

  /**
   * Whether a place, in steps, is in a polygon by the even-odd rule, or on its border.
   *
   * @type {(first: number, last: number, x: number, y: number) => boolean}
   */
  contains(first, last, x, y) {
    const { corners } = this;
    let inside = false;
    for (let i = first, j = last - 1; i < last; j = i++) {
      const [xi, yi, xj, yj] = [corners[2 * i], corners[2 * i + 1], corners[2 * j], corners[2 * j + 1]];
      const along = (xj - xi) * (y - yi) === (yj - yi) * (x - xi);
      if (along && (x - xi) * (x - xj) <= 0 && (y - yi) * (y - yj) <= 0) return true;
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
  }
}
