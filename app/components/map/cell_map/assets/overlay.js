// What is drawn above the cells: outlines, scale bars, the area being drawn, the cross.

import { contextOf } from "./dom.js";
import { niceLength, toScreen } from "./geometry.js";

/**
 * @import { Box, Point } from "./contract"
 * @import { View } from "./geometry.js"
 */

const PLATE = "rgba(255, 255, 255, 0.85)"; // text is readable on any tissue
const FONT = "12px sans-serif";

export class Overlay {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = contextOf(canvas);
  }

  /** @type {(width: number, height: number, ratio: number) => void} */
  begin(width, height, ratio) {
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.context.font = FONT;
    this.context.lineJoin = "round";
  }

  /** @type {(box: Box, draw: () => void) => void} */
  within(box, draw) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.width, box.height);
    context.clip();
    draw();
    context.restore();
  }

  /** @type {(box: Box, strong: boolean) => void} */
  border(box, strong) {
    this.context.strokeStyle = strong ? "rgba(0, 114, 178, 0.9)" : "rgba(128, 128, 128, 0.35)";
    this.context.lineWidth = 1;
    this.context.strokeRect(box.left + 0.5, box.top + 0.5, box.width - 1, box.height - 1);
  }

  /**
   * A closed line around tissue, in a colour on white.
   *
   * @param {View} view
   * @param {Box} box
   * @param {Point[]} corners
   * @param {string} colour
   * @param {string} [name]
   */
  outline(view, box, corners, colour, name) {
    if (corners.length < 2) return;
    const at = corners.map((corner) => toScreen(view, box, corner));
    this.line(at, true, colour);
    if (!name) return;
    const top = at.reduce((best, point) => (point[1] < best[1] ? point : best));
    const [x, y] = [
      Math.max(box.left + 2, Math.min(top[0], box.left + box.width - 60)),
      Math.max(top[1] - 8, box.top + 14),
    ];
    this.text(`\u2003${name}`, x, y); // black on white is read, whatever the colour
    this.context.fillStyle = colour;
    this.context.fillRect(x, y - 9, 9, 9);
  }

  /**
   * @param {Point[]} points
   * @param {boolean} closed
   * @param {string} colour
   */
  line(points, closed, colour, dashed = false) {
    const { context } = this;
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y); // the first only begins the line
    if (closed) context.closePath();
    context.setLineDash([]);
    context.strokeStyle = "#fff";
    context.lineWidth = 4;
    context.stroke();
    context.setLineDash(dashed ? [5, 4] : []);
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.stroke();
    context.setLineDash([]);
  }

  /** @type {(words: string, x: number, y: number) => void} */
  text(words, x, y) {
    const { context } = this;
    const width = context.measureText(words).width;
    context.fillStyle = PLATE;
    context.fillRect(x - 4, y - 12, width + 8, 17);
    context.fillStyle = "#000";
    context.fillText(words, x, y);
  }

  /**
   * A length of the tissue, or that none is known.
   *
   * @type {(box: Box, scale: number, unit: string) => void}
   */
  scaleBar(box, scale, unit) {
    const { context } = this;
    const [x, y] = [box.left + 10, box.top + box.height - 12];
    if (unit === "unknown") return this.text("units unknown", x, y);
    const length = niceLength(box.width / scale);
    const pixels = length * scale;
    const words = `${Number(length.toPrecision(3))} µm`;
    context.fillStyle = PLATE;
    context.fillRect(x - 5, y - 20, Math.max(pixels, context.measureText(words).width) + 10, 27);
    context.fillStyle = "#000";
    context.fillRect(x, y, pixels, 3);
    context.fillText(words, x, y - 6);
  }

  /** @type {(words: string, box: Box) => void} */
  note(words, box) {
    if (!words) return;
    this.text(
      words,
      box.left + box.width - 10 - this.context.measureText(words).width,
      box.top + box.height - 10,
    );
  }

  /** @param {Point} point */
  cross([x, y]) {
    const arm = (/** @type {number} */ dx, /** @type {number} */ dy) => {
      const ends = [4, 14].map((far) => /** @type {Point} */ ([x + far * dx, y + far * dy]));
      this.line(ends, false, "#D55E00");
    };
    arm(-1, 0);
    arm(1, 0);
    arm(0, -1);
    arm(0, 1);
  }

  /**
   * @param {Point} point
   * @param {number} radius
   */
  ring([x, y], radius, colour = "#000") {
    const { context } = this;
    const stroke = (/** @type {number} */ width, /** @type {string} */ tone) => {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.lineWidth = width;
      context.strokeStyle = tone;
      context.stroke();
    };
    stroke(4, "#fff");
    stroke(2, colour);
  }
}
