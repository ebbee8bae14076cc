// What the reader set beside the map: colours, sizes, what is shown. Kept while the same thing is shown.

import { MOST_CELLS } from "./boundaries.js";
import { check, element, many, short } from "./dom.js";

/**
 * @import { Ends, ImageLook, MapData, State } from "./contract"
 * @import { TissueMap } from "./map.js"
 */

/**
 * What is set of one way of colouring.
 *
 * @typedef {{ hidden: Set<string>, range: Ends | null, classes: boolean }} Known
 */

/**
 * A slider: its ends and step, what moving it does, and what is said beside it.
 *
 * @typedef {object} Slider
 * @property {string} name
 * @property {[min: number, max: number, step: number]} range
 * @property {number} value
 * @property {(value: number) => void} set
 * @property {() => string} words
 */

export class Settings {
  constructor() {
    this.linked = false;
    this.locked = true;
    this.size = 1;
    /** @type {ImageLook} */
    this.image = { shown: true, opacity: 0.8 };
    /** @type {Map<string, Known>} */
    this.known = new Map(); // by what is coloured
    this.coloured = ""; // what is, once something was shown
    /** @type {Ends} */
    this.whole = [0, 1]; // of the scale
    /** @type {Ends[]} */
    this.ranges = []; // of each panel
    /** @type {Set<string>} */
    this.hidden = new Set();
    this.range = this.whole;
    this.classes = false;
    this.dark = false; // the ground in files
    /** @type {number[]} */
    this.thresholds = [];
    this.sets = false; // whether cell sets are made here
    this.pictured = false; // whether there is a picture
    this.boundaries = true; // whether cells are drawn by them, where few enough are in view
    this.bounded = false; // whether any section has them
  }

  /**
   * Take what the server describes; `same`: the cells did not change.
   *
   * @param {MapData} data
   * @param {boolean} same
   */
  take(data, same) {
    const { scale } = data;
    const numbers = scale.kind === "numbers" ? scale : null;
    const name = `${scale.kind} ${scale.title}`;
    const first = !this.coloured;
    if (first) this.restore(data.state, name);
    else this.known.set(this.coloured, { hidden: this.hidden, range: this.range, classes: this.classes });
    if (first ? !data.state.size : !same) this.linked = data.linked;
    this.whole = numbers ? [numbers.low, numbers.high] : [0, 1];
    this.ranges = numbers ? numbers.ranges : [];
    const before = this.known.get(name);
    this.hidden = before?.hidden ?? new Set();
    this.range = before?.range ?? this.whole;
    this.classes = before?.classes ?? false;
    this.thresholds = numbers ? [...numbers.thresholds] : [];
    this.coloured = name;
    this.sets = Boolean(data.sets);
    this.pictured = data.panels.some((panel) => panel.picture);
    this.bounded = data.panels.some((panel) => panel.boundaries);
  }

  /**
   * Go on where the reader was before the page was left.
   *
   * @param {State} state
   * @param {string} name
   */
  restore(state, name) {
    if (!state.size) return;
    const { linked = false, locked = true, size, image = this.image, dark = false } = state;
    [this.linked, this.locked, this.size, this.image, this.dark] = [linked, locked, size, image, dark];
    this.boundaries = state.boundaries ?? true;
    const { coloured, hidden, range = null, classes = false } = state;
    if (coloured === name) this.known.set(name, { hidden: new Set(hidden), range, classes });
  }

  /** @param {number} i */
  rangeOf(i) {
    return this.locked ? this.range : (this.ranges[i] ?? this.range);
  }

  /** @param {string} label */
  toggle(label) {
    if (!this.hidden.delete(label)) this.hidden.add(label);
  }

  /**
   * What an export needs to know.
   *
   * @returns {State}
   */
  state() {
    const { linked, locked, size, hidden, range, ranges, thresholds, classes, coloured, dark } = this;
    const image = this.pictured ? this.image : undefined;
    const changed = range !== this.whole && range.some((end, i) => end !== this.whole[i]);
    return {
      linked,
      locked,
      size,
      image,
      dark,
      boundaries: this.boundaries,
      thresholds,
      classes,
      coloured,
      hidden: [...hidden],
      range: changed && locked ? range : null,
      ranges: locked ? null : ranges,
    };
  }

  /**
   * Write the sliders, and what to tick.
   *
   * @param {HTMLElement} root
   * @param {TissueMap} map
   */
  show(root, map) {
    /** @type {Slider[]} */
    const sliders = [
      {
        name: "Cell size",
        range: [Math.log(0.2), Math.log(5), 0.01],
        value: Math.log(this.size),
        set: (value) => {
          this.size = Math.exp(value);
        },
        words: () => {
          const { diameter, unit } = map.panels[0];
          return unit === "unknown" ? `× ${short(this.size)}` : `${short(diameter * this.size)} µm`;
        },
      },
    ];
    if (map.panels.some((panel) => panel.picture)) {
      sliders.push({
        name: "Image",
        range: [0, 1, 0.01],
        value: this.image.opacity,
        set: (value) => {
          this.image = { shown: true, opacity: value };
        },
        words: () => (this.image.shown ? `${Math.round(100 * this.image.opacity)} %` : "off"),
      });
    }
    root.replaceChildren(
      ...[...sliders, ...(map.space?.sliders() ?? [])].map((slider) => this.slider(slider, map)),
      ...this.shapes(map),
      ...this.grounds(map),
    );
  }

  /**
   * Whether cells are drawn by their boundaries.
   *
   * @param {TissueMap} map
   */
  shapes(map) {
    if (!this.bounded) return [];
    const choose = (/** @type {boolean} */ on) => {
      this.boundaries = on;
      map.changed();
    };
    const title = `Cells as they were outlined, where at most ${many(MOST_CELLS)} are in view`;
    return [check("Cell boundaries", this.boundaries, title, choose)];
  }

  /**
   * What lies behind the tissue: on every map, and in files of this one.
   *
   * @param {TissueMap} map
   */
  grounds(map) {
    const choose = (/** @type {boolean} */ dark) => map.trigger("ground", { dark, at: Date.now() });
    const print = (/** @type {boolean} */ dark) => {
      this.dark = dark;
      map.changed();
    };
    const { style, prints } = map.data;
    return [
      check("Dark ground", style.dark, "Behind the tissue of every map", choose),
      ...(prints ? [check("Dark ground in files", this.dark, "Otherwise it is white", print)] : []),
    ];
  }

  /**
   * @param {Slider} slider
   * @param {TissueMap} map
   */
  slider({ name, range: [min, max, step], value, set, words }, map) {
    const said = element("span", { textContent: words() });
    const input = element("input", {
      type: "range",
      min: String(min),
      max: String(max),
      step: String(step),
      "aria-label": name,
    });
    input.value = String(value); // after the ends are known
    input.addEventListener("input", () => {
      set(input.valueAsNumber);
      said.textContent = words();
      map.changed(true);
    });
    // Where one was stopped by another, it is moved to where that is.
    input.addEventListener("change", () => this.show(map.settingsRoot, map));
    return element("label", { className: "setting" }, document.createTextNode(name), said, input);
  }
}
