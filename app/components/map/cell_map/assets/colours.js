// Colours of values, the same on the card, on the colour bar and in the legend.

/** @import { Ends } from "./contract" */

/**
 * A colour "#RRGGBB" or transparent, as shares.
 *
 * @param {string} colour
 * @returns {[red: number, green: number, blue: number, alpha: number]}
 */
export function rgba(colour) {
  if (!colour.startsWith("#")) return [0, 0, 0, 0];
  const rgb = parseInt(colour.slice(1), 16);
  return [(rgb >> 16) / 255, ((rgb >> 8) & 255) / 255, (rgb & 255) / 255, 1];
}

/**
 * The colour of a value: on the scale, or of its class where thresholds are given.
 *
 * @param {string} palette
 * @param {Ends} range
 * @param {number[] | null} thresholds
 * @param {number} value
 */
export function colourOf(palette, [low, high], thresholds, value) {
  if (thresholds) return classColours(palette)[value < thresholds[0] ? 0 : value > thresholds[1] ? 2 : 1];
  return step(palette, Math.max(0, Math.min(1, (value - low) / (high - low))));
}

/**
 * The colours of low, intermediate and high cells.
 *
 * @param {string} palette
 */
export function classColours(palette) {
  return [0.1, 0.5, 0.9].map((share) => step(palette, share));
}

/** @type {(palette: string, share: number) => string} */
function step(palette, share) {
  const at = 6 * Math.floor(share * (palette.length / 6 - 1));
  return `#${palette.slice(at, at + 6)}`;
}
