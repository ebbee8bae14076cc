// A point of view on a stack of levels: turned about its vertical axis, then tipped. No perspective, so that
// lengths can be compared. No DOM here.

/**
 * @import { Box, Point, Turn } from "./contract"
 * @typedef {[x: number, y: number, z: number]} Place
 */

/** @type {Turn} */
export const AT_FIRST = { azimuth: 25, elevation: 35, zoom: 1, dx: 0, dy: 0 };

/**
 * Rows of the 3 x 3 matrix from the tissue (x right, y down, z up) to the screen (right, down, nearer).
 *
 * @param {Pick<Turn, "azimuth" | "elevation">} turn
 * @returns {[right: Place, down: Place, near: Place]}
 */
export function rotationOf({ azimuth, elevation }) {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180];
  const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
  return [
    [ca, -sa, 0],
    [sa * se, ca * se, -ce],
    [sa * ce, ca * ce, se],
  ];
}

/**
 * Where a place (x, y, z), z already stretched, is on the screen: right, down and how near.
 *
 * @type {(orbit: Turn, centre: Place, scale: number, box: Box, place: Place) => Place}
 */
export function project(orbit, centre, scale, box, place) {
  const offset = place.map((value, i) => value - centre[i]);
  const [right, down, near] = rotationOf(orbit).map((row) =>
    row.reduce((sum, value, i) => sum + value * offset[i], 0),
  );
  const zoom = scale * orbit.zoom;
  return [
    box.left + box.width / 2 + orbit.dx + zoom * right,
    box.top + box.height / 2 + orbit.dy + zoom * down,
    near,
  ];
}

/**
 * Turn by a drag of so many pixels; from below and from above are the ends.
 *
 * @type {(orbit: Turn, dx: number, dy: number) => Turn}
 */
export function turned(orbit, dx, dy) {
  const elevation = Math.max(-90, Math.min(90, orbit.elevation + dy * 0.4));
  return { ...orbit, azimuth: (orbit.azimuth + dx * 0.4) % 360, elevation };
}

/**
 * Nearer or farther by a factor, what is under a point of the screen staying there.
 *
 * @type {(orbit: Turn, box: Box, point: Point, factor: number) => Turn}
 */
export function nearer(orbit, box, [sx, sy], factor) {
  const [u, v] = [sx - box.left - box.width / 2, sy - box.top - box.height / 2];
  return {
    ...orbit,
    zoom: orbit.zoom * factor,
    dx: u - (u - orbit.dx) * factor,
    dy: v - (v - orbit.dy) * factor,
  };
}

/**
 * The eight corners of a box between two places.
 *
 * @type {(low: Place, high: Place) => Place[]}
 */
export function corners(low, high) {
  const ends = [low, high];
  return Array.from({ length: 8 }, (_, i) => [ends[i & 1][0], ends[(i >> 1) & 1][1], ends[i >> 2][2]]);
}
