// Where things are: on the tissue (x right, y down, in its unit), and on the screen (CSS pixels). No DOM here.

/** @import { Box, Point } from "./contract" */

/**
 * What is seen of a section: centre, pixels per unit, degrees turned clockwise, and whether mirrored before.
 *
 * @typedef {{ x: number, y: number, scale: number, rotation: number, flipped: boolean }} View
 */

/**
 * The view in which a frame of the tissue fits into a box of the screen.
 *
 * @param {Box} frame
 * @param {Box} box
 * @returns {View}
 */
export function viewOf(frame, box, rotation = 0, flipped = false) {
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
  const [width, height] = [cos * frame.width + sin * frame.height, sin * frame.width + cos * frame.height];
  const scale = Math.min(box.width / width, box.height / height);
  return { x: frame.left + frame.width / 2, y: frame.top + frame.height / 2, scale, rotation, flipped };
}

/**
 * The turning and mirroring [a, b, c, d] of a view: (dx, dy) on the tissue is (a dx + b dy, c dx + d dy).
 *
 * @param {View} view
 * @returns {[a: number, b: number, c: number, d: number]}
 */
export function matrixOf(view) {
  const angle = (view.rotation * Math.PI) / 180;
  const [cos, sin, mirror] = [Math.cos(angle), Math.sin(angle), view.flipped ? -1 : 1];
  return [cos * mirror, -sin, sin * mirror, cos];
}

/**
 * Where a place of the tissue is on the screen.
 *
 * @type {(view: View, box: Box, place: Point) => Point}
 */
export function toScreen(view, box, [x, y]) {
  const [a, b, c, d] = matrixOf(view);
  const [dx, dy] = [x - view.x, y - view.y];
  return [
    box.left + box.width / 2 + view.scale * (a * dx + b * dy),
    box.top + box.height / 2 + view.scale * (c * dx + d * dy),
  ];
}

/**
 * Which place of the tissue is at a point of the screen.
 *
 * @type {(view: View, box: Box, point: Point) => Point}
 */
export function toTissue(view, box, [sx, sy]) {
  const [a, b, c, d] = matrixOf(view);
  const u = (sx - box.left - box.width / 2) / view.scale;
  const v = (sy - box.top - box.height / 2) / view.scale;
  return [view.x + a * u + c * v, view.y + b * u + d * v]; // the inverse of a turn is its transpose
}

/**
 * A view nearer or farther by a factor, with the place under a point of the screen staying there.
 *
 * @type {(view: View, box: Box, point: Point, factor: number) => View}
 */
export function zoomed(view, box, point, factor) {
  const before = toTissue(view, box, point);
  const near = { ...view, scale: view.scale * factor };
  const after = toTissue(near, box, point);
  return { ...near, x: view.x + before[0] - after[0], y: view.y + before[1] - after[1] };
}

/**
 * A view moved by pixels of the screen.
 *
 * @type {(view: View, dx: number, dy: number) => View}
 */
export function moved(view, dx, dy) {
  const box = { left: 0, top: 0, width: 0, height: 0 };
  const [x, y] = toTissue(view, box, [-dx, -dy]);
  return { ...view, x, y };
}

/**
 * The longest of 1, 2, 5 times a power of ten that is at most a quarter of a length.
 *
 * @param {number} span
 */
export function niceLength(span) {
  const power = 10 ** Math.floor(Math.log10(span / 4));
  return Math.max(...[1, 2, 5].map((step) => step * power).filter((length) => length <= span / 4));
}

/**
 * Whether a point is in a polygon, by the even-odd rule, or on its border.
 *
 * @type {(polygon: Point[], x: number, y: number) => boolean}
 */
export function contains(polygon, x, y) {
  let inside = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    const along = (xj - xi) * (y - yi) === (yj - yi) * (x - xi);
    if (along && (x - xi) * (x - xj) <= 0 && (y - yi) * (y - yj) <= 0) return true;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/**
 * How many points [x0, y0, x1, y1, ...], each moved by an origin, are in a polygon.
 *
 * @type {(polygon: Point[], points: Float32Array, origin: Point) => number}
 */
export function countInside(polygon, points, origin) {
  const own = polygon.map(([x, y]) => /** @type {Point} */ ([x - origin[0], y - origin[1]]));
  const xs = own.map(([x]) => x);
  const ys = own.map(([, y]) => y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  let n = 0;
  for (let i = 0; i < points.length; i += 2) {
    const x = points[i];
    const y = points[i + 1];
    if (x >= left && x <= right && y >= top && y <= bottom && contains(own, x, y)) n++;
  }
  return n;
}

/**
 * A line with only the corners that keep it within a tolerance (Douglas and Peucker, 1973).
 *
 * @type {(line: Point[], tolerance: number) => Point[]}
 */
export function simplified(line, tolerance) {
  if (line.length < 3) return line;
  const keep = new Uint8Array(line.length);
  keep[0] = keep[line.length - 1] = 1;
  const stack = [[0, line.length - 1]];
  for (let ends = stack.pop(); ends; ends = stack.pop()) {
    const [first, last] = ends;
    let farthest = 0;
    let at = -1;
    for (let i = first + 1; i < last; i++) {
      const distance = fromSegment(line[i], line[first], line[last]);
      if (distance > farthest) [farthest, at] = [distance, i];
    }
    if (farthest > tolerance) {
      keep[at] = 1;
      stack.push([first, at], [at, last]);
    }
  }
  return line.filter((_, i) => keep[i]);
}

/**
 * A line of at most so many corners, as near to the drawn one as that allows.
 *
 * @type {(line: Point[], atMost: number, tolerance: number) => Point[]}
 */
export function shortened(line, atMost, tolerance) {
  let short = simplified(line, tolerance);
  for (; short.length > atMost; tolerance *= 1.5) short = simplified(line, tolerance);
  return short;
}

/** @type {(point: Point, from: Point, to: Point) => number} */
function fromSegment([x, y], [x0, y0], [x1, y1]) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const length = dx * dx + dy * dy;
  const t = length ? Math.max(0, Math.min(1, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
}

/** Finds the point nearest to a place, by cells of a grid with about two points each. */
export class Nearest {
  /** @param {Float32Array} points x and y of each, one after another */
  constructor(points) {
    this.points = points;
    const n = points.length / 2;
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < points.length; i += 2) {
      left = Math.min(left, points[i]);
      right = Math.max(right, points[i]);
      top = Math.min(top, points[i + 1]);
      bottom = Math.max(bottom, points[i + 1]);
    }
    this.left = left;
    this.top = top;
    const [width, height] = [Math.max(right - left, 1e-9), Math.max(bottom - top, 1e-9)];
    this.step = Math.max(Math.sqrt((width * height * 2) / Math.max(n, 1)), Math.max(width, height) / 4096);
    this.columns = Math.floor(width / this.step) + 1;
    this.rows = Math.floor(height / this.step) + 1;
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    for (let i = 0; i < n; i++) this.starts[this.cellOf(points[2 * i], points[2 * i + 1]) + 1]++;
    for (let c = 1; c < this.starts.length; c++) this.starts[c] += this.starts[c - 1];
    this.members = new Uint32Array(n);
    const next = this.starts.slice(0, -1);
    for (let i = 0; i < n; i++) this.members[next[this.cellOf(points[2 * i], points[2 * i + 1])]++] = i;
  }

  /** @type {(x: number, y: number) => number} */
  cellOf(x, y) {
    const column = Math.floor((x - this.left) / this.step);
    const row = Math.floor((y - this.top) / this.step);
    return row * this.columns + column;
  }

  /**
   * The point nearest to (x, y) within a reach, of those that count; or -1.
   *
   * @param {number} x
   * @param {number} y
   * @param {number} reach
   * @param {(i: number) => boolean} counts
   */
  find(x, y, reach, counts = () => true) {
    /** @type {(value: number, high: number) => number} */
    const clamp = (value, high) => Math.max(0, Math.min(high, Math.floor(value)));
    const low = [
      clamp((x - reach - this.left) / this.step, this.columns - 1),
      clamp((y - reach - this.top) / this.step, this.rows - 1),
    ];
    const high = [
      clamp((x + reach - this.left) / this.step, this.columns - 1),
      clamp((y + reach - this.top) / this.step, this.rows - 1),
    ];
    let best = -1;
    let distance = reach * reach;
    for (let row = low[1]; row <= high[1]; row++) {
      const line = row * this.columns;
      for (let k = this.starts[line + low[0]]; k < this.starts[line + high[0] + 1]; k++) {
        const i = this.members[k];
        const d = (this.points[2 * i] - x) ** 2 + (this.points[2 * i + 1] - y) ** 2;
        if (d <= distance && counts(i)) [best, distance] = [i, d];
      }
    }
    return best;
  }
}

/**
 * Boxes of a grid in a stage, each with room above for a title.
 *
 * @param {number} n
 * @param {[rows: number, columns: number]} grid
 * @param {number} width
 * @param {number} height
 * @param {{ head: number, gap: number }} room
 * @returns {Box[]}
 */
export function boxesOf(n, [rows, columns], width, height, { head, gap }) {
  const [w, h] = [(width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows - head];
  return Array.from({ length: n }, (_, i) => ({
    left: (i % columns) * (w + gap),
    top: Math.floor(i / columns) * (h + head + gap) + head,
    width: w,
    height: h,
  }));
}
