// What the reader set beside the map: colours, sizes, what is shown. Kept while the same thing is shown.

import { element, short } from "./dom.js";

export class Settings {
  constructor() {
    Object.assign(this, { linked: false, locked: true, size: 1, image: { shown: true, opacity: 0.8 } });
    this.known = new Map(); // by what is coloured: hidden, range, classes
  }

  /** Take what the server describes; `same`: the cells did not change. */
  take(data, same) {
    const { scale } = data;
    const name = `${scale.kind} ${scale.title}`;
    if (this.name)
      this.known.set(this.name, { hidden: this.hidden, range: this.range, classes: this.classes });
    if (!this.name) this.restore(data.state, name);
    if (!same && this.name) this.linked = data.linked;
    if (!this.name && !data.state?.size) this.linked = data.linked;
    this.name = name;
    this.whole = [scale.low ?? 0, scale.high ?? 1];
    this.ranges = scale.ranges ?? [];
    const before = this.known.get(name) ?? {};
    this.hidden = before.hidden ?? new Set();
    this.range = before.range ?? this.whole;
    this.classes = before.classes ?? false;
    this.thresholds = [...(scale.thresholds ?? [])];
    this.coloured = name;
    this.sets = Boolean(data.sets);
    this.pictured = data.panels.some((panel) => panel.picture);
  }

  /** Go on where the reader was before the page was left. */
  restore(state, name) {
    if (!state?.size) return;
    const { linked, locked, size, image, hidden, range, classes, coloured } = state;
    Object.assign(this, { linked, locked, size, image: image ?? this.image });
    if (coloured === name)
      this.known.set(name, { hidden: new Set(hidden), range: range ?? undefined, classes });
  }

  rangeOf(i) {
    return this.locked ? this.range : (this.ranges[i] ?? this.range);
  }

  toggle(label) {
    if (!this.hidden.delete(label)) this.hidden.add(label);
  }

  /** What an export needs to know. */
  state() {
    const { linked, locked, size, hidden, range, ranges, thresholds, classes, coloured } = this;
    const image = this.pictured ? this.image : undefined;
    const changed = range !== this.whole && range.some((end, i) => end !== this.whole[i]);
    return {
      linked,
      locked,
      size,
      image,
      thresholds,
      classes,
      coloured,
      hidden: [...hidden],
      range: changed && locked ? range : null,
      ranges: locked ? null : ranges,
    };
  }

  /** Write the sliders. */
  show(root, map) {
    const sliders = [
      {
        name: "Cell size",
        range: [Math.log(0.2), Math.log(5), 0.01],
        value: Math.log(this.size),
        set: (value) => (this.size = Math.exp(value)),
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
        set: (value) => (this.image = { shown: true, opacity: value }),
        words: () => (this.image.shown ? `${Math.round(100 * this.image.opacity)} %` : "off"),
      });
    }
    root.replaceChildren(
      ...[...sliders, ...(map.space?.sliders() ?? [])].map((slider) => this.slider(slider, map)),
    );
  }

  slider({ name, range: [min, max, step], value, set, words }, map) {
    const said = element("span", { textContent: words() });
    const input = element("input", {
      type: "range",
      min,
      max,
      step,
      value,
      "aria-label": name,
      oninput: (event) => {
        set(Number(event.target.value));
        said.textContent = words();
        map.changed(true);
      },
      onchange: () => this.show(map.settingsRoot, map), // one may have been stopped by another
    });
    input.value = value; // after the ends are known
    return element("label", { className: "setting" }, document.createTextNode(name), said, input);
  }
}
