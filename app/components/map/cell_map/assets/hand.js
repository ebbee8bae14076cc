// The reader's hand: pointer, wheel and keys on the stage. Areas are kept in the tissue's own coordinates.

import { many } from "./dom.js";
import { countInside, shortened, toScreen, toTissue } from "./geometry.js";

/**
 * @import { Mode, Point, Tool } from "./contract"
 * @import { TissueMap } from "./map.js"
 * @import { Overlay } from "./overlay.js"
 */

const MOST_CORNERS = 200;
const STEP = 40; // pixels of an arrow key
const COLOUR = "#D55E00";

export class Hand {
  /** @param {TissueMap} map */
  constructor(map) {
    this.map = map;
    /** @type {Tool} */
    this.tool = "pan";
    this.active = 0; // panel
    /** @type {Point[] | null} */
    this.corners = null; // of the area being drawn, on the tissue
    /** @type {Point | null} */
    this.from = null; // where drawing by a drag began, on the screen
    /** @type {Point | null} */
    this.cross = null; // on the screen
    /** @type {Point | null} */
    this.hovered = null; // where the pointer was last, on the screen
    /** @type {{ point: Point, turn: boolean } | null} */
    this.held = null; // what moves with the pointer
    /** @type {Map<number, Point>} */
    this.pointers = new Map(); // that are down, on the screen
    const { stage } = map;
    /**
     * @template {keyof HTMLElementEventMap} Name
     * @param {Name} name
     * @param {(event: HTMLElementEventMap[Name]) => void} act
     * @param {AddEventListenerOptions} [options]
     */
    const listen = (name, act, options) => stage.addEventListener(name, act.bind(this), options);
    listen("pointerdown", this.down);
    listen("pointermove", this.move);
    listen("pointerup", this.up);
    listen("pointercancel", this.cancel);
    listen("pointerleave", () => {
      map.unsettled = null;
      map.card.hide();
    });
    listen("dblclick", this.doubleClick);
    listen("wheel", this.wheel, { passive: false });
    listen("keydown", this.key);
    listen("contextmenu", (event) => event.preventDefault());
    this.use("pan");
  }

  /** @param {Tool} tool */
  use(tool) {
    this.tool = tool;
    this.corners = this.from = null;
    this.map.stage.dataset.tool = tool;
    this.map.tools.mark(tool);
    this.map.draw(true);
  }

  /**
   * Where on the stage an event was.
   *
   * @param {MouseEvent} event
   * @returns {Point}
   */
  point(event) {
    const { left, top } = this.map.stage.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /**
   * Which place of the tissue is there.
   *
   * @param {Point} point
   */
  place(point) {
    return toTissue(this.map.views[this.active], this.map.boxes[this.active], point);
  }

  // ---- pointer

  /** @param {PointerEvent} event */
  down(event) {
    const { map } = this;
    const point = this.point(event);
    const panel = map.panelAt(point);
    if (panel < 0) return;
    map.stage.focus({ preventScroll: true });
    map.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, point);
    map.card.hide();
    const wandering = this.tool === "pan" || event.button !== 0 || map.space;
    if (!this.corners) this.active = map.space ? 0 : panel;
    if (wandering) {
      this.held = { point, turn: event.button === 0 && !event.shiftKey };
      map.stage.classList.add("held");
    } else if (this.tool === "landmark") {
      map.trigger("landmark", { panel: this.active, place: this.place(point), at: Date.now() });
    } else if (this.tool === "polygon") {
      this.corners = [...(this.corners ?? []), this.place(point)];
      map.draw(true);
    } else {
      this.from = point;
      this.corners = [this.place(point)];
    }
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { map } = this;
    const point = this.point(event);
    if (this.pointers.size === 2 && this.pointers.has(event.pointerId))
      return this.pinch(event.pointerId, point);
    if (this.held) {
      const [dx, dy] = [point[0] - this.held.point[0], point[1] - this.held.point[1]];
      this.held.point = point;
      if (!map.space) map.pan(this.active, dx, dy);
      else map.space.move(dx, dy, this.held.turn);
    } else if (this.from) {
      if (this.tool === "lasso") this.corners?.push(this.place(point));
      else this.corners = this.rectangle(this.from, point);
      map.drawOver();
    } else {
      this.hovered = point;
      if (this.corners) map.drawOver();
      else map.card.at(point);
    }
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.pointers.delete(event.pointerId);
    this.map.stage.classList.remove("held");
    if (this.held) this.map.changed();
    this.held = null;
    if (!this.from) return;
    this.from = null;
    this.finish(event);
  }

  /** @type {(id: number, point: Point) => void} */
  pinch(id, point) {
    const span = () => {
      const [a, b] = [...this.pointers.values()];
      return Math.hypot(a[0] - b[0], a[1] - b[1]);
    };
    const before = span();
    this.pointers.set(id, point);
    const [a, b] = [...this.pointers.values()];
    this.held = null;
    this.near([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], span() / Math.max(before, 1));
  }

  /** @param {MouseEvent} event */
  doubleClick(event) {
    if (this.tool !== "polygon" || !this.corners) return;
    this.corners.pop(); // the second of both clicks
    this.finish(event);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode ? 20 * event.deltaY : event.deltaY;
    this.near(this.point(event), Math.exp(-Math.max(-300, Math.min(300, pixels)) * 0.002));
  }

  /** @type {(point: Point, factor: number) => void} */
  near(point, factor) {
    const { map } = this;
    if (map.space) return map.space.nearer(point, factor);
    const i = map.panelAt(point);
    if (i >= 0) map.zoom(i, point, factor);
  }

  /** @type {(corner: Point, opposite: Point) => Point[]} */
  rectangle([x0, y0], [x1, y1]) {
    return [this.place([x0, y0]), this.place([x1, y0]), this.place([x1, y1]), this.place([x0, y1])];
  }

  /**
   * Close what was drawn, say at once how many cells are inside, and tell the server.
   *
   * @param {MouseEvent | KeyboardEvent} event
   */
  finish(event) {
    const { map } = this;
    const view = map.views[this.active];
    const drawn = this.corners;
    this.corners = null;
    if (!drawn) return;
    const span = (/** @type {number[]} */ places) => Math.max(...places) - Math.min(...places);
    const wide = Math.max(span(drawn.map(([x]) => x)), span(drawn.map(([, y]) => y)));
    if (drawn.length < 3 || wide * view.scale < 4) return map.draw(true); // a click, not an area
    const line = this.tool === "lasso" ? shortened(drawn, MOST_CORNERS, 0.7 / view.scale) : drawn;
    const digits = 10 ** Math.max(0, Math.ceil(Math.log10(view.scale)) + 2);
    const rounded = (/** @type {number} */ value) => Math.round(value * digits) / digits;
    const polygon = line.map(([x, y]) => /** @type {Point} */ ([rounded(x), rounded(y)]));
    const panel = map.panels[this.active];
    if (map.renderer) {
      const n = countInside(polygon, panel.points.array, panel.origin);
      map.say(`n = ${many(n)} cells inside`, map.boxes[this.active]);
      map.stage.dataset.inside = String(n);
    }
    const straight = this.tool === "box" && view.rotation % 90 === 0;
    map.trigger("area", { panel: this.active, polygon, box: straight, mode: modeOf(event), at: Date.now() });
    map.draw(true);
  }

  cancel() {
    this.held = this.from = this.corners = null;
    this.pointers.clear();
    this.map.draw(true);
  }

  // ---- keys

  /** @param {KeyboardEvent} event */
  key(event) {
    if (!this.map.views.length) return; // nothing has come yet
    const act = this.keys(event)[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || ((event.ctrlKey || event.metaKey) && !"zy".includes(event.key.toLowerCase()))) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  /**
   * What each key does.
   *
   * @param {KeyboardEvent} event
   * @returns {Record<string, (() => void) | undefined>}
   */
  keys(event) {
    const { map } = this;
    const middle = () => this.cross ?? this.centre();
    const tool = (/** @type {Tool} */ name) => () => map.data.tools.includes(name) && this.use(name);
    const arrow = (/** @type {number} */ dx, /** @type {number} */ dy) => () => this.arrow(dx, dy, event);
    const flat = (/** @type {() => void} */ act) => () => map.space || act();
    return {
      ArrowLeft: arrow(-1, 0),
      ArrowRight: arrow(1, 0),
      ArrowUp: arrow(0, -1),
      ArrowDown: arrow(0, 1),
      "+": () => this.near(middle(), 1.25),
      "=": () => this.near(middle(), 1.25),
      "-": () => this.near(middle(), 0.8),
      0: () => map.fit(),
      r: flat(() => map.turn(this.active, event.shiftKey ? 270 : 90)),
      ",": flat(() => map.turn(this.active, 355)),
      ".": flat(() => map.turn(this.active, 5)),
      f: flat(() => map.flip(this.active)),
      v: tool("pan"),
      l: tool("lasso"),
      g: tool("polygon"),
      b: tool("box"),
      m: tool("landmark"),
      n: () => this.nextPanel(),
      k: () => map.tools.link(),
      i: () => map.tools.image(),
      t: () => map.settings.thresholds.length === 2 && map.tools.classes(),
      "[": () => map.tools.size(0.85),
      "]": () => map.tools.size(1 / 0.85),
      c: () => this.toggleCross(middle()),
      Enter: () => this.enter(event),
      Escape: () => this.escape(),
      "?": () => map.tools.toggleHelp(),
      z: () => (event.ctrlKey || event.metaKey) && map.step(event.shiftKey ? "redo" : "undo"),
      y: () => (event.ctrlKey || event.metaKey) && map.step("redo"),
    };
  }

  /** @type {(dx: number, dy: number, event: KeyboardEvent) => void} */
  arrow(dx, dy, event) {
    const { map } = this;
    if (!this.cross) {
      if (map.space) return map.space.move(-dx * STEP, -dy * STEP, !event.shiftKey);
      return map.pan(this.active, -dx * STEP, -dy * STEP);
    }
    const step = event.shiftKey ? 1 : 10;
    const box = map.boxes[this.active];
    const [x, y] = [this.cross[0] + step * dx, this.cross[1] + step * dy];
    this.cross = [
      Math.max(box.left, Math.min(box.left + box.width, x)),
      Math.max(box.top, Math.min(box.top + box.height, y)),
    ];
    this.hovered = this.cross;
    map.drawOver();
    map.card.at(this.cross);
  }

  /** @param {Point} at */
  toggleCross(at) {
    this.cross = this.cross ? null : at;
    if (this.cross) this.map.card.at(this.cross);
    else this.map.card.hide();
    this.map.draw(true);
  }

  /**
   * Do at the cross what a click would do; a polygon that has come round is closed.
   *
   * @param {KeyboardEvent} event
   */
  enter(event) {
    const { map } = this;
    if (map.space || this.tool === "pan") return;
    const { cross } = this;
    const corners = this.corners ?? [];
    if (!cross) {
      const whole = this.tool === "polygon" && corners.length > 2;
      return whole ? this.finish(event) : this.toggleCross(this.centre());
    }
    const place = this.place(cross);
    if (this.tool === "landmark")
      return map.trigger("landmark", { panel: this.active, place, at: Date.now() });
    const first = corners.length
      ? toScreen(map.views[this.active], map.boxes[this.active], corners[0])
      : null;
    const back = first && Math.hypot(first[0] - cross[0], first[1] - cross[1]) < 8;
    if (this.tool === "box" && first) {
      this.corners = this.rectangle(first, cross);
      this.finish(event);
    } else if (this.tool !== "box" && back && corners.length > 2) this.finish(event);
    else this.corners = [...corners, place];
    map.drawOver();
  }

  /**
   * The middle of the panel in which keys act.
   *
   * @returns {Point}
   */
  centre() {
    const box = this.map.boxes[this.active];
    return [box.left + box.width / 2, box.top + box.height / 2];
  }

  escape() {
    if (this.map.tools.hideHelp()) return;
    if (this.corners || this.from) return this.cancel();
    if (this.cross) return this.toggleCross(this.cross);
    this.map.say("");
    this.use("pan");
  }

  /** Let go of what belongs to panels that are no longer there. */
  restart() {
    this.active = 0;
    this.corners = this.cross = this.held = this.from = null;
  }

  nextPanel() {
    this.corners = this.from = null; // on the panel before
    this.active = (this.active + 1) % this.map.panels.length;
    if (this.cross) this.cross = this.centre();
    this.map.draw(true);
  }

  /** @param {Overlay} overlay */
  drawOver(overlay) {
    const { map } = this;
    const { cross } = this;
    if (this.corners) {
      const box = map.boxes[this.active];
      let line = this.corners.map((corner) => toScreen(map.views[this.active], box, corner));
      if (this.tool === "polygon" && this.hovered) line.push(this.hovered);
      if (this.tool === "box" && cross && line.length === 1) {
        const [[x, y]] = line;
        line = [[x, y], [cross[0], y], cross, [x, cross[1]]]; // from the corner that is set to the cross
      }
      overlay.within(box, () => overlay.line(line, this.tool !== "polygon", COLOUR, true));
    }
    if (cross) overlay.cross(cross);
  }

  destroy() {
    this.pointers.clear();
  }
}

/**
 * Whether a drawn area makes a set, adds to it or takes from it.
 *
 * @param {MouseEvent | KeyboardEvent} event
 * @returns {Mode}
 */
export function modeOf(event) {
  return event.altKey ? "subtract" : event.shiftKey ? "add" : "new";
}
