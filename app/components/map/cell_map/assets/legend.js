// The legend beside the map: what colours mean, how many cells have them, and which are shown.

import { colourOf } from "./colours.js";
import { check, contextOf, element, many, short } from "./dom.js";

/**
 * @import { Ends, LabelScale, NumberScale, Scale } from "./contract"
 * @import { Settings } from "./settings.js"
 */

/** By how much of the bar a key moves a handle. */
const STEPS = new Map(Object.entries({ ArrowUp: 0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 }));

/**
 * What the reader does in the legend; `done` once the hand has come to rest.
 *
 * @typedef {object} Actions
 * @property {(label: string) => void} toggle
 * @property {(label: string, event: MouseEvent) => void} pick
 * @property {(low: number, high: number, done: boolean) => void} range
 * @property {(values: number[], done: boolean) => void} thresholds
 * @property {(on: boolean) => void} classes
 * @property {(on: boolean) => void} lock
 */

const BAR = 220; // height of the colour bar, pixels

export class Legend {
  /**
   * @param {HTMLElement} root
   * @param {Settings} state
   * @param {Actions} on
   */
  constructor(root, state, on) {
    this.root = root;
    this.state = state;
    this.on = on;
    /** @type {ColourBar | null} */
    this.bar = null;
    /** @type {HTMLElement | null} */
    this.levels = null;
    /** @type {{ name: string, colour: string, n: number }[]} */
    this.genes = []; // whose transcripts are shown
  }

  /**
   * Write the legend anew.
   *
   * @param {Scale} scale
   * @param {number} nPanels
   */
  show(scale, nPanels) {
    this.bar = this.levels = null;
    this.root.replaceChildren(element("div", { className: "legend-title", textContent: scale.title }));
    if (scale.kind === "labels") this.showLabels(scale);
    else this.showNumbers(scale, nPanels);
    if (!this.genes.length) return;
    this.root.append(element("div", { className: "legend-title more", textContent: "Transcripts" }));
    for (const gene of this.genes) this.addEntry(`__transcripts__${gene.name}`, gene, "transcripts");
  }

  /** @param {LabelScale} scale */
  showLabels(scale) {
    for (const entry of scale.entries) this.addEntry(entry.label, entry);
    if (scale.rest.n) this.addEntry("__rest__", scale.rest);
    if (scale.missing.n) this.addEntry("__missing__", scale.missing);
  }

  /** @type {(scale: NumberScale, nPanels: number) => void} */
  showNumbers(scale, nPanels) {
    this.bar = new ColourBar(scale, this.state, this.on);
    this.root.append(this.bar.root);
    if (scale.thresholds.length === 2) {
      const title = "Colour cells as low, intermediate and high (t)";
      this.root.append(check("Three classes", this.state.classes, title, this.on.classes));
      this.levels = element("div", { className: "levels", "aria-live": "polite" });
      this.root.append(this.levels);
    }
    if (nPanels > 1) {
      const title = "Unlocked, each section has a range of its own";
      this.root.append(check("One scale for all", this.state.locked, title, this.on.lock));
    }
    if (scale.n_predicted) {
      const middle = scale.palette.slice(128 * 6, 128 * 6 + 6);
      this.addEntry("__measured__", { name: "measured", colour: `#${middle}` });
      this.addEntry("__imputed__", {
        name: "in-painted",
        colour: `#${middle}`,
        n: scale.n_predicted,
        diamond: true,
      });
    }
    if (scale.missing.n) this.addEntry("__missing__", scale.missing);
  }

  /**
   * @param {string} label
   * @param {{ name: string, colour: string, n?: number, hollow?: boolean, diamond?: boolean }} entry
   * @param {"cells" | "transcripts"} [what]
   */
  addEntry(label, { name, colour, n, hollow = false, diamond = false }, what = "cells") {
    const off = this.state.hidden.has(label);
    const chip = element("button", {
      className: `chip${hollow ? " hollow" : ""}${diamond ? " diamond" : ""}`,
      role: "switch",
      title: `${off ? "Show" : "Hide"} these ${what}`,
      "aria-checked": String(!off),
      "aria-label": `Show ${name}`,
      style: hollow ? { borderColor: colour } : { background: colour },
      onclick: () => this.on.toggle(label),
    });
    const makes = this.state.sets && what === "cells";
    const words = element("button", {
      className: "entry-name",
      title: makes ? "Make a cell set of these cells (Shift adds to the chosen set, Alt subtracts)" : "",
      disabled: !makes,
      onclick: (event) => this.on.pick(label, event),
    });
    words.append(element("span", { textContent: name }));
    if (n !== undefined) words.append(element("span", { className: "n", textContent: ` · ${many(n)}` }));
    const row = element("div", { className: `entry${off ? " off" : ""}`, "data-label": label }, chip, words);
    this.root.append(row);
  }

  /**
   * Say how many cells are low, intermediate and high.
   *
   * @param {number[]} n
   */
  count([low, middle, high]) {
    if (!this.levels) return;
    const n = low + middle + high;
    const line = (/** @type {string} */ name, /** @type {number} */ count) =>
      element(
        "div",
        {},
        element("span", { textContent: name }),
        element("b", { textContent: many(count) }),
        element("span", { textContent: n ? `${((100 * count) / n).toFixed(1)} %` : "" }),
      );
    this.levels.replaceChildren(
      line("high", high),
      line("intermediate", middle),
      line("low", low),
      line("scored, n", n),
    );
  }

  /** Follow what was set. */
  update() {
    this.bar?.update();
  }
}

/** A vertical colour bar with a handle at each end of the range and on each threshold. */
class ColourBar {
  /**
   * @param {NumberScale} scale
   * @param {Settings} state
   * @param {Actions} on
   */
  constructor(scale, state, on) {
    this.scale = scale;
    this.state = state;
    this.on = on;
    /** @type {Ends | null} */
    this.held = null; // what the bar showed when a handle was taken
    this.canvas = element("canvas", { width: 1, height: BAR, className: "ramp" });
    this.root = element(
      "div",
      {
        className: "bar",
        style: { height: `${BAR}px` },
        ondblclick: () => on.range(scale.low, scale.high, true),
      },
      this.canvas,
    );
    const handle = (/** @type {string} */ className, /** @type {string} */ label) => {
      const made = element("button", {
        className: `handle ${className}`,
        role: "slider",
        "aria-orientation": "vertical",
        "aria-label": label,
        title: `${label}: drag, or arrow keys. Double click on the bar for the whole range.`,
      });
      this.root.append(made);
      return made;
    };
    this.ends = [handle("end", "Lower end of the colours"), handle("end", "Upper end of the colours")];
    this.marks = scale.thresholds.map((_, i) => handle("mark", i ? "Upper threshold" : "Lower threshold"));
    for (const [i, end] of this.ends.entries()) {
      const set = this.setEnd.bind(this, i);
      this.listen(end, set, () => this.state.range[i]);
    }
    for (const [i, mark] of this.marks.entries()) {
      const set = this.setMark.bind(this, i);
      this.listen(mark, set, () => this.state.thresholds[i]);
    }
    this.update();
  }

  /**
   * The values at the foot and at the top of the bar: all of the scale, whatever the range of the colours.
   *
   * @returns {Ends}
   */
  get extent() {
    return [Math.min(this.scale.low, this.state.range[0]), Math.max(this.scale.high, this.state.range[1])];
  }

  /** @type {(handle: HTMLElement, set: (value: number, done: boolean) => void, get: () => number) => void} */
  listen(handle, set, get) {
    const setAt = (/** @type {PointerEvent} */ event, /** @type {boolean} */ done) => {
      if (!this.held) return;
      const [low, high] = this.held;
      const { top, height } = this.root.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, 1 - (event.clientY - top) / height));
      set(low + share * (high - low), done);
    };
    handle.addEventListener("pointerdown", (event) => {
      this.held = this.extent; // the bar does not change under the hand
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) setAt(event, false);
    });
    handle.addEventListener("pointerup", (event) => setAt(event, true));
    handle.addEventListener("keydown", (event) => {
      const [low, high] = this.extent;
      const step = STEPS.get(event.key);
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      set(Math.max(low, Math.min(high, get() + step * (high - low))), true);
    });
  }

  /** @type {(i: number, value: number, done: boolean) => void} */
  setEnd(i, value, done) {
    const [low, high] = this.state.range;
    const end = tidy(value, this.extent);
    const [first, last] = i ? [low, end] : [end, high];
    if (first < last) this.on.range(first, last, done);
    else if (done) this.on.range(low, high, true);
  }

  /** @type {(i: number, value: number, done: boolean) => void} */
  setMark(i, value, done) {
    const values = [...this.state.thresholds];
    values[i] = tidy(value, this.extent);
    if (values[0] > values[1]) values[1 - i] = values[i]; // pushed along: two at an end would stick there
    this.on.thresholds(values, done);
  }

  /** Follow what was set. */
  update() {
    const { state } = this;
    const [bottom, top] = this.extent;
    // Where each section has a range of its own, the bar says only how colours run from one end to the other.
    for (const end of this.ends) end.hidden = !state.locked;
    const place = (/** @type {HTMLElement} */ handle, /** @type {number} */ value) => {
      handle.style.top = `${100 * (1 - (value - bottom) / (top - bottom))}%`;
      handle.dataset.value = short(value);
      handle.setAttribute("aria-valuenow", String(value));
      handle.setAttribute("aria-valuemin", String(bottom));
      handle.setAttribute("aria-valuemax", String(top));
    };
    for (const [i, handle] of this.ends.entries()) place(handle, state.range[i]);
    for (const [i, handle] of this.marks.entries()) place(handle, state.thresholds[i]);
    this.paint(bottom, top);
  }

  /** @type {(bottom: number, top: number) => void} */
  paint(bottom, top) {
    const context = contextOf(this.canvas);
    const { range, thresholds, classes } = this.state;
    for (let y = 0; y < BAR; y++) {
      const value = bottom + ((BAR - 0.5 - y) / BAR) * (top - bottom);
      context.fillStyle = colourOf(this.scale.palette, range, classes ? thresholds : null, value);
      context.fillRect(0, y, 1, 1);
    }
  }
}

/** @type {(value: number, extent: Ends) => number} */
function tidy(value, [low, high]) {
  const step = 10 ** Math.floor(Math.log10((high - low) / 100));
  return Number((Math.round(value / step) * step).toPrecision(12));
}
