// The legend beside the map: what colours mean, how many cells have them, and which are shown.

import { colourOf } from "./colours.js";
import { element, many, short } from "./dom.js";

const BAR = 220; // height of the colour bar, pixels

export class Legend {
  /**
   * on: {toggle(label), pick(label, event), range(low, high, done), thresholds(values, done), classes(on), lock(on)}
   */
  constructor(root, on) {
    this.root = root;
    this.on = on;
  }

  /** Write the legend anew. state: hidden (Set), range, thresholds, classes, locked, sets (whether there are). */
  show(scale, state, nPanels) {
    this.scale = scale;
    this.state = state;
    this.root.replaceChildren(element("div", { className: "legend-title", textContent: scale.title }));
    if (scale.kind === "labels") this.showLabels(scale);
    else this.showNumbers(scale, nPanels);
  }

  showLabels(scale) {
    for (const entry of scale.entries) this.addEntry(entry.label, entry);
    if (scale.rest.n) this.addEntry("__rest__", scale.rest);
    if (scale.missing.n) this.addEntry("__missing__", scale.missing);
  }

  showNumbers(scale, nPanels) {
    this.bar = new ColourBar(scale, this.state, this.on);
    this.root.append(this.bar.root);
    if (scale.thresholds.length === 2) {
      this.root.append(
        check("Three classes", this.state.classes, "Colour cells as low, intermediate and high (t)", (on) =>
          this.on.classes(on),
        ),
      );
      this.levels = element("div", { className: "levels", "aria-live": "polite" });
      this.root.append(this.levels);
    }
    if (nPanels > 1) {
      this.root.append(
        check("One scale for all", this.state.locked, "Unlocked, each section has a range of its own", (on) =>
          this.on.lock(on),
        ),
      );
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

  addEntry(label, { name, colour, n, hollow, diamond }) {
    const off = this.state.hidden.has(label);
    const chip = element("button", {
      className: `chip${hollow ? " hollow" : ""}${diamond ? " diamond" : ""}`,
      role: "switch",
      title: off ? "Show these cells" : "Hide these cells",
      "aria-checked": String(!off),
      "aria-label": `Show ${name}`,
      style: hollow ? { borderColor: colour } : { background: colour },
      onclick: () => this.on.toggle(label),
    });
    const words = element("button", {
      className: "entry-name",
      title: this.state.sets
        ? "Make a cell set of these cells (Shift adds to the chosen set, Alt subtracts)"
        : "",
      disabled: !this.state.sets,
      onclick: (event) => this.on.pick(label, event),
    });
    words.append(element("span", { textContent: name }));
    if (n !== undefined) words.append(element("span", { className: "n", textContent: ` · ${many(n)}` }));
    const row = element("div", { className: `entry${off ? " off" : ""}`, "data-label": label }, chip, words);
    this.root.append(row);
  }

  /** Say how many cells are low, intermediate and high. */
  count([low, middle, high]) {
    if (!this.levels) return;
    const n = low + middle + high;
    const line = (name, count) =>
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

  update(state) {
    this.state = state;
    this.bar?.update(state);
  }
}

function check(text, on, title, change) {
  const box = element("input", {
    type: "checkbox",
    checked: on,
    onchange: (event) => change(event.target.checked),
  });
  return element("label", { className: "check", title }, box, document.createTextNode(text));
}

/** A vertical colour bar with a handle at each end of the range and on each threshold. */
class ColourBar {
  constructor(scale, state, on) {
    this.scale = scale;
    this.on = on;
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
    const handle = (className, label) => {
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
    this.ends.forEach((made, i) =>
      this.listen(
        made,
        (value, done) => this.setEnd(i, value, done),
        () => this.state.range[i],
      ),
    );
    this.marks.forEach((made, i) =>
      this.listen(
        made,
        (value, done) => this.setMark(i, value, done),
        () => this.state.thresholds[i],
      ),
    );
    this.update(state);
  }

  /** The values at the foot and at the top of the bar: all of the scale, whatever the range of the colours. */
  get extent() {
    return [Math.min(this.scale.low, this.state.range[0]), Math.max(this.scale.high, this.state.range[1])];
  }

  listen(handle, set, get) {
    const valueAt = (event) => {
      const { top, height } = this.root.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, 1 - (event.clientY - top) / height));
      return this.held[0] + share * (this.held[1] - this.held[0]);
    };
    handle.addEventListener("pointerdown", (event) => {
      this.held = this.extent; // the bar does not change under the hand
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener(
      "pointermove",
      (event) => handle.hasPointerCapture(event.pointerId) && set(valueAt(event), false),
    );
    handle.addEventListener("pointerup", (event) => this.held && set(valueAt(event), true));
    handle.addEventListener("keydown", (event) => {
      const [low, high] = this.extent;
      const step = { ArrowUp: 0.01, ArrowDown: -0.01, PageUp: 0.1, PageDown: -0.1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      set(Math.max(low, Math.min(high, get() + step * (high - low))), true);
    });
  }

  setEnd(i, value, done) {
    const range = [...this.state.range];
    range[i] = tidy(value, this.extent);
    if (range[0] < range[1]) this.on.range(...range, done);
    else if (done) this.on.range(...this.state.range, true);
  }

  setMark(i, value, done) {
    const values = [...this.state.thresholds];
    values[i] = tidy(value, this.extent);
    if (values[0] > values[1]) values[1 - i] = values[i]; // pushed along: two at an end would stick there
    this.on.thresholds(values, done);
  }

  update(state) {
    this.state = state;
    const [bottom, top] = this.extent;
    // Where each section has a range of its own, the bar says only how colours run from one end to the other.
    for (const end of this.ends) end.hidden = !state.locked;
    const at = (value) => `${100 * (1 - (value - bottom) / (top - bottom))}%`;
    const place = (handle, value) => {
      handle.style.top = at(value);
      handle.dataset.value = short(value);
      handle.setAttribute("aria-valuenow", String(value));
      handle.setAttribute("aria-valuemin", String(bottom));
      handle.setAttribute("aria-valuemax", String(top));
    };
    this.ends.forEach((handle, i) => place(handle, state.range[i]));
    this.marks.forEach((handle, i) => place(handle, state.thresholds[i]));
    this.paint(bottom, top);
  }

  paint(bottom, top) {
    const context = this.canvas.getContext("2d");
    const { range, thresholds, classes } = this.state;
    for (let y = 0; y < BAR; y++) {
      const value = bottom + ((BAR - 0.5 - y) / BAR) * (top - bottom);
      context.fillStyle = colourOf(this.scale.palette, range, classes ? thresholds : null, value);
      context.fillRect(0, y, 1, 1);
    }
  }
}

function tidy(value, [low, high]) {
  const step = 10 ** Math.floor(Math.log10((high - low) / 100));
  return Number((Math.round(value / step) * step).toPrecision(12));
}
