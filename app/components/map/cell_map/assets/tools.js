// The row of buttons above the map, and what its keys are.

import { element, sign } from "./dom.js";

/**
 * @import { MapData, Tool } from "./contract"
 * @import { TissueMap } from "./map.js"
 */

/** @type {[tool: Tool, title: string][]} */
const HAND = [
  ["pan", "Move (v)"],
  ["lasso", "Lasso: draw around cells (l)"],
  ["polygon", "Polygon: click corners, double click to close (g)"],
  ["box", "Rectangle (b)"],
  ["landmark", "Landmark: click a place that the image shows as well (m)"],
];
const KEYS = [
  ["Drag, arrows", "move"],
  ["Wheel, + and −", "nearer, farther"],
  ["0", "fit"],
  ["r, Shift r", "turn by 90° right, left"],
  [". and ,", "turn by 5° right, left"],
  ["f", "mirror"],
  ["v l g b", "move, lasso, polygon, rectangle"],
  ["Shift, Alt", "while drawing: add to the chosen set, subtract from it"],
  ["c, then arrows", "a cross that tells of the cell under it; Enter sets a corner there"],
  ["Esc", "cancel"],
  ["[ and ]", "smaller, larger cells"],
  ["t", "three classes"],
  ["i", "image on, off"],
  ["k", "move sections together"],
  ["n", "next section"],
  ["Ctrl z, Ctrl y", "undo, redo cell sets"],
];
const KEYS_IN_SPACE = [
  ["Drag, arrows", "turn"],
  ["Shift drag, Shift arrows", "move"],
  ["Wheel, + and −", "nearer, farther"],
  ["0", "as at first"],
  ["[ and ]", "smaller, larger cells"],
];

export class Tools {
  /** @param {TissueMap} map */
  constructor(map) {
    this.map = map;
    /** @type {Map<string, HTMLButtonElement>} */
    this.buttons = new Map(); // by name
    this.row = element("div", { className: "tools", role: "toolbar", "aria-label": "Tools of the map" });
    this.help = element("div", {
      className: "help",
      hidden: true,
      role: "dialog",
      "aria-label": "Keys of the map",
    });
    this.root = element("div", { className: "head" }, this.row, this.help);
  }

  /** @param {MapData} data */
  show(data) {
    const { map } = this;
    const flat = !map.space;
    const active = () => map.hand.active;
    /** @type {(name: Parameters<typeof sign>[0], title: string, act: () => void, off?: boolean) => HTMLElement} */
    const button = (name, title, act, off = false) => {
      const made = element("button", { title, "aria-label": title, type: "button", disabled: off });
      made.addEventListener("click", act);
      made.append(sign(name));
      this.buttons.set(name, made);
      return made;
    };
    const centre = () => map.hand.centre();
    const tools = HAND.filter(([name]) => flat && data.tools.includes(name));
    const parts = tools.map(([name, title]) => button(name, title, () => map.hand.use(name)));
    if (parts.length) parts.push(element("hr", {}));
    parts.push(
      button("near", "Nearer (+)", () => map.hand.near(centre(), 1.4)),
      button("far", "Farther (−)", () => map.hand.near(centre(), 1 / 1.4)),
    );
    parts.push(button("fit", "Fit (0)", () => map.fit()));
    if (flat)
      parts.push(
        button("turn", "Turn by 90° (r)", () => map.turn(active(), 90)),
        button("flip", "Mirror (f)", () => map.flip(active())),
      );
    if (flat && data.panels.length > 1)
      parts.push(button("link", "Move sections together, in µm (k)", () => this.link()));
    if (map.panels.some((panel) => panel.picture))
      parts.push(button("image", "Image (i)", () => this.image()));
    if (data.sets) {
      const { undo, redo } = data.sets;
      parts.push(
        element("hr", {}),
        button("undo", `Undo ${undo} (Ctrl z)`, () => map.step("undo"), !undo),
        button("redo", `Redo ${redo} (Ctrl y)`, () => map.step("redo"), !redo),
      );
    }
    parts.push(
      element("hr", {}),
      button("help", "Keys (?)", () => this.toggleHelp()),
    );
    this.row.replaceChildren(...parts);
    const list = element("dl", {});
    for (const [key, does] of flat ? KEYS : KEYS_IN_SPACE)
      list.append(element("dt", { textContent: key }), element("dd", { textContent: does }));
    this.help.replaceChildren(list);
    this.mark(map.hand.tool);
  }

  /**
   * Show what is on.
   *
   * @param {Tool} tool
   */
  mark(tool) {
    const { settings } = this.map;
    const press = (/** @type {string} */ name, /** @type {boolean} */ on) =>
      this.buttons.get(name)?.setAttribute("aria-pressed", String(on));
    for (const [name] of HAND) press(name, name === tool);
    press("link", settings.linked);
    press("image", settings.image.shown);
  }

  link() {
    this.map.settings.linked = !this.map.settings.linked;
    this.mark(this.map.hand.tool);
    this.map.changed();
  }

  image() {
    const { settings } = this.map;
    settings.image = { ...settings.image, shown: !settings.image.shown };
    this.mark(this.map.hand.tool);
    settings.show(this.map.settingsRoot, this.map);
    this.map.changed();
  }

  classes() {
    const { settings, legend } = this.map;
    settings.classes = !settings.classes;
    legend.show(this.map.data.scale, this.map.panels.length);
    this.map.count();
    this.map.changed();
  }

  /** @param {number} factor */
  size(factor) {
    const { settings } = this.map;
    settings.size = Math.max(0.2, Math.min(5, settings.size * factor));
    settings.show(this.map.settingsRoot, this.map);
    this.map.changed(true);
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  /** Close the list of keys; say whether it was open. */
  hideHelp() {
    const open = !this.help.hidden;
    this.help.hidden = true;
    return open;
  }
}
