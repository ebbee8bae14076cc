// The row of buttons above the map, and what its keys are.

import { element, sign } from "./dom.js";

const HAND = [
  ["pan", "Move (v)"],
  ["lasso", "Lasso: draw around cells (l)"],
  ["polygon", "Polygon: click corners, double click to close (g)"],
  ["box", "Rectangle (b)"],
  ["landmark", "Landmark: click a place that the image shows as well (m)"],
];
const SIGNS = { landmark: "cross" };
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
  constructor(map) {
    this.map = map;
    this.buttons = new Map();
    this.row = element("div", { className: "tools", role: "toolbar", "aria-label": "Tools of the map" });
    this.help = element("div", {
      className: "help",
      hidden: true,
      role: "dialog",
      "aria-label": "Keys of the map",
    });
    this.root = element("div", { className: "head" }, this.row, this.help);
  }

  show(data) {
    const { map } = this;
    const flat = !map.space;
    const active = () => map.hand.active;
    const button = (name, title, act, shape = name) => {
      const made = element(
        "button",
        { title, "aria-label": title, type: "button", onclick: act },
        sign(shape),
      );
      this.buttons.set(name, made);
      return made;
    };
    const centre = () => map.hand.centre();
    const parts = flat
      ? HAND.filter(([name]) => data.tools.includes(name)).map(([name, title]) =>
          button(name, title, () => map.hand.use(name), SIGNS[name]),
        )
      : [];
    if (parts.length) parts.push(element("hr"));
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
      parts.push(
        element("hr"),
        button("undo", `Undo ${data.sets.undo} (Ctrl z)`, () => map.step("undo")),
        button("redo", `Redo ${data.sets.redo} (Ctrl y)`, () => map.step("redo")),
      );
    }
    parts.push(
      element("hr"),
      button("help", "Keys (?)", () => this.toggleHelp()),
    );
    this.row.replaceChildren(...parts);
    if (data.sets)
      [this.buttons.get("undo").disabled, this.buttons.get("redo").disabled] = [
        !data.sets.undo,
        !data.sets.redo,
      ];
    const list = element("dl");
    for (const [key, does] of flat ? KEYS : KEYS_IN_SPACE)
      list.append(element("dt", { textContent: key }), element("dd", { textContent: does }));
    this.help.replaceChildren(list);
    this.mark(map.hand.tool);
  }

  /** Show what is on. */
  mark(tool) {
    const { settings } = this.map;
    const on = { [tool]: true, link: settings.linked, image: settings.image.shown };
    for (const [name, button] of this.buttons) {
      if (HAND.some(([known]) => known === name) || name in on)
        button.setAttribute("aria-pressed", String(on[name] ?? false));
    }
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
    legend.show(this.map.data.scale, settings, this.map.panels.length);
    this.map.count();
    this.map.changed();
  }

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
