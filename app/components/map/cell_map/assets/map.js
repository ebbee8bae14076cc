// The map of tissue: what Streamlit mounts. It draws what `app/maps/message.py` describes, and tells what the reader
// did. Both are typed in `app/maps/contract.py`.

import { Boundaries } from "./boundaries.js";
import { Card } from "./card.js";
import { classColours, rgba } from "./colours.js";
import { element, short } from "./dom.js";
import { boxesOf, matrixOf, moved, Nearest, toScreen, toTissue, viewOf, zoomed } from "./geometry.js";
import { Hand, modeOf } from "./hand.js";
import { Legend } from "./legend.js";
import { Overlay } from "./overlay.js";
import { Pictures } from "./pictures.js";
import { projection, Renderer } from "./renderer.js";
import { ServerPicture } from "./server_picture.js";
import { Settings } from "./settings.js";
import { Space } from "./space.js";
import { ask, Expired, load, wordsOf } from "./store.js";
import { Tools } from "./tools.js";

/**
 * @import { Address, Box, CellSetOutline, NumberType, Panel, Point, Signed } from "./contract"
 * @import { Transcripts, Values } from "./contract"
 * @import { Events, MapData, State, Window } from "./contract"
 * @import { View } from "./geometry.js"
 * @import { Actions } from "./legend.js"
 * @import { Colouring } from "./renderer.js"
 */

/**
 * A panel whose arrays have come; where the server draws, they stay empty.
 *
 * @typedef {Omit<Panel, "points" | "values" | "predicted" | "heights" | "sets" | "transcripts"> & Arrays} Loaded
 */

/**
 * @typedef {object} Arrays
 * @property {Address & { array: Float32Array }} points
 * @property {Values & { array: Uint8Array | Uint16Array | Float32Array }} values
 * @property {(Address & { array: Uint8Array }) | null} predicted
 * @property {(Address & { array: Float32Array }) | null} heights
 * @property {CellSetOutline[] | null} sets
 * @property {(Transcripts & { points: Address & { array: Float32Array } })[]} transcripts
 */

/**
 * A cell that is drawn: its panel, its place in the panel's arrays, and where on the screen it is.
 *
 * @typedef {{ panel: number, place: number, at: Point }} Cell
 */

/**
 * Tells the page of an event.
 *
 * @typedef {<Name extends keyof Events>(name: Name, value: Events[Name]) => void} Trigger
 */

const AT_ONCE = 100_000; // cells in the first frame; then as many as a frame's time allows, the rest in frames after
const [FEWEST, MOST] = [20_000, 1_000_000];
const FRAME_MS = 33; // what a frame may take, so that the hand is followed
const AT_REST = 500_000; // cells in a frame while nothing moves: fewer frames are sooner done
const STILL_MS = 150; // after so long without a movement, the rest of the cells is drawn
const HEAD = 42; // pixels above each panel, for its title
const GAP = 12;
const NARROW = 720;
const DOT = 5; // pixels across a transcript
const TRANSCRIPTS = "__transcripts__"; // before the gene, of what is hidden
const LOADING = "Loading cells …";
/** @type {Record<NumberType, new (bytes: ArrayBuffer) => Uint8Array | Uint16Array | Float32Array>} */
const KINDS = { u1: Uint8Array, u2: Uint16Array, f4: Float32Array };
/**
 * What is shown before anything has come.
 *
 * @type {MapData}
 */
const NOTHING = {
  title: "",
  panels: [],
  scale: {
    kind: "labels",
    title: "",
    entries: [],
    rest: { name: "", colour: "", n: 0 },
    missing: { name: "", colour: "", n: 0, hollow: false },
  },
  grid: [1, 1],
  linked: false,
  style: { ink: "", ground: "", dark: false },
  stack: null,
  address: { path: "", query: "" },
  state: {},
  tools: [],
  tool: "pan",
  editable: false,
  sets: null,
  refused: null,
  prints: false,
  exported: false,
};
/** @type {WeakMap<Node, TissueMap>} */
const maps = new WeakMap();

/** @param {{ parentElement: HTMLElement | ShadowRoot, data: MapData, setTriggerValue: Trigger }} component */
export default function mount({ parentElement, data, setTriggerValue }) {
  const map = maps.get(parentElement) ?? new TissueMap(parentElement);
  maps.set(parentElement, map);
  map.update(data, setTriggerValue);
  // Streamlit also calls this for a mount that a newer one overtook, so it counts only once the map is gone.
  return () => setTimeout(() => parentElement.isConnected || map.destroy());
}

export class TissueMap {
  /** @param {HTMLElement | ShadowRoot} parent */
  constructor(parent) {
    this.stage = element("div", { className: "stage", tabIndex: 0, role: "application" });
    this.titles = element("div", {});
    this.said = element("div", { className: "say", hidden: true, "aria-live": "polite" });
    this.canvas = element("canvas", { className: "cells" });
    this.over = element("canvas", { className: "over" });
    this.stage.append(this.canvas, this.over, this.titles, this.said);
    this.legendRoot = element("div", { className: "legend" });
    this.settingsRoot = element("div", { className: "settings" });
    this.side = element("div", { className: "side" }, this.legendRoot, this.settingsRoot);
    this.main = element("div", { className: "main" });
    this.root = element("div", { className: "map" }, this.main, this.side);
    const style = element("link", { rel: "stylesheet", href: new URL("style.css", import.meta.url).href });
    this.styled = new Promise((done) => {
      style.addEventListener("load", done);
      style.addEventListener("error", done);
    });
    this.styled.then(() => this.layOut());
    parent.append(style, this.root);

    this.data = NOTHING;
    /** @type {Signed} */
    this.address = NOTHING.address;
    /** @type {Trigger} */
    this.trigger = () => {};
    /** @type {View[]} */
    this.views = []; // of the panels, once there is room to draw
    /** @type {Box[]} */
    this.boxes = []; // of the panels on the stage, or one for a stack
    /** @type {Loaded[]} */
    this.panels = [];
    this.places = ""; // by name, so that it is known whether cells have changed
    this.width = 0; // of the stage
    this.height = 0;
    /** @type {Space | null} */
    this.space = null; // for a stack
    /** @type {Renderer | null} */
    this.renderer = null;
    /** @type {ServerPicture | null} */
    this.server = null; // where there is no renderer
    this.lost = false; // whether the graphics card has lost what it had
    /** @type {object | null} */
    this.request = null; // the newest
    this.stopped = new AbortController();
    /** @type {string | null} */
    this.refused = null; // why what was done last was refused
    this.renewed = 0; // when
    this.telling = 0; // a timer
    this.waiting = 0; // a timer
    this.frame = 0; // that was asked for
    this.due = false; // whether there is more to draw
    this.busy = false; // whether a frame is being drawn
    this.progress = 0; // how many cells are drawn
    this.atOnce = AT_ONCE;
    this.movingUntil = 0;
    this.settings = new Settings();
    this.overlay = new Overlay(this.over);
    this.pictures = new Pictures(() => this.draw());
    this.boundaries = new Boundaries(
      () => this.arrived(),
      () => this.renew(),
    );
    /** @type {Point | null} */
    this.unsettled = null; // where the pointer rests on boundaries that are on their way
    this.complete = false; // whether all that is to be seen has been drawn
    this.wandering = false; // whether nothing but the view changes
    /** @type {View[] | null} */
    this.kept = null; // views of a picture of all that was drawn, which stands for it while the hand moves
    /** @type {View[]} */
    this.drawnViews = []; // of the frame that was drawn last
    this.perMs = 5000; // corners that are drawn in a millisecond
    this.card = new Card(this);
    this.tools = new Tools(this);
    this.main.append(this.tools.root, this.stage);
    this.hand = new Hand(this);
    this.legend = new Legend(this.legendRoot, this.settings, this.legendActions());
    this.startRenderer();
    this.resized = new ResizeObserver(() => this.main.clientWidth === this.width || this.layOut());
    this.resized.observe(this.main);
  }

  startRenderer() {
    try {
      this.renderer = new Renderer(this.canvas);
    } catch {
      this.server = new ServerPicture(this); // no WebGL2: the server draws
      return;
    }
    this.canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      this.lost = true;
      this.say("The graphics card took the map away; it will be drawn again.");
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.lost = false;
      this.renderer?.prepare();
      this.pictures.forget();
      this.kept = null;
      this.say("");
      this.draw();
    });
  }

  // ---- what the server says

  /** @type {(data: MapData, trigger: Trigger) => Promise<void>} */
  async update(data, trigger) {
    this.trigger = trigger;
    this.address = data.address;
    const request = {};
    this.request = request;
    this.stage.dataset.state = "loading";
    const slow = setTimeout(() => {
      if (this.request === request) this.say(LOADING);
    }, 400);
    this.stopped.abort();
    this.stopped = new AbortController();
    try {
      const [panels] = await Promise.all([this.loadPanels(data, this.stopped.signal), this.styled]); // sizes are known
      if (this.request !== request) return; // a newer one was asked for meanwhile
      if (this.said.textContent === LOADING) this.say("");
      this.show(data, panels);
    } catch (error) {
      if (this.request !== request || (error instanceof Error && error.name === "AbortError")) return;
      console.error(error);
      if (error instanceof Expired) this.renew();
      else this.say(`The cells could not be loaded. ${wordsOf(error)} Reload the page to try again.`);
    } finally {
      clearTimeout(slow);
    }
  }

  /** @type {(data: MapData, signal: AbortSignal) => Promise<Loaded[]>} */
  async loadPanels(data, signal) {
    const outlines = async (/** @type {Address} */ source) =>
      /** @type {CellSetOutline[]} */ (JSON.parse(new TextDecoder().decode(await load(source, signal))));
    return Promise.all(
      data.panels.map(async (panel) => {
        const [points, values, predicted, heights, sets] = await Promise.all([
          this.loadArray(panel.points, Float32Array),
          this.loadArray(panel.values, KINDS[panel.values.type], signal),
          panel.predicted && this.loadArray(panel.predicted, Uint8Array, signal),
          panel.heights && this.loadArray(panel.heights, Float32Array),
          panel.sets && outlines(panel.sets),
        ]);
        const transcripts = await Promise.all(
          panel.transcripts.map(async (gene) => ({
            ...gene,
            points: await this.loadArray(gene.points, Float32Array, signal),
          })),
        );
        return { ...panel, points, values, predicted, heights, sets, transcripts };
      }),
    );
  }

  /**
   * @template {Address} Source
   * @template Kind
   * @param {Source} source
   * @param {new (bytes: ArrayBuffer) => Kind} Kind
   * @param {AbortSignal} [signal]
   * @returns {Promise<Source & { array: Kind }>}
   */
  async loadArray(source, Kind, signal) {
    const bytes = this.renderer ? await load(source, signal) : new ArrayBuffer(0);
    return { ...source, array: new Kind(bytes) };
  }

  /** @type {(data: MapData, panels: Loaded[]) => void} */
  show(data, panels) {
    const first = this.data === NOTHING;
    const places = panels.map((panel) => panel.points.name).join();
    const same = !first && places === this.places && panels.length === this.panels.length;
    [this.data, this.panels, this.places] = [data, panels, places];
    this.root.style.setProperty("--ink", data.style.ink);
    this.root.style.setProperty("--ground", data.style.ground);
    this.stage.setAttribute("aria-label", `${data.title}: ${panels.map((panel) => panel.title).join(", ")}`);
    this.settings.take(data, same);
    this.space = data.stack ? (this.space ?? new Space(this)) : null;
    if (!same) this.views = [];
    this.layOut();
    if (!same) this.hand.restart();
    if (data.stack) this.space?.take({ stack: data.stack, state: data.state }, same);
    this.tools.show(data);
    if (first) this.hand.use(data.tool);
    this.legend.genes = genesOf(panels);
    this.legend.show(data.scale, panels.length);
    this.settings.show(this.settingsRoot, this);
    const arrays = panels.flatMap(({ points, values, predicted, heights, transcripts }) => [
      ...[points, values, predicted, heights],
      ...transcripts.map((gene) => gene.points),
    ]);
    this.boundaries.take(this.renderer && !this.space ? panels : []);
    this.renderer?.keep(new Set([...arrays.map((source) => source?.name ?? ""), ...this.boundaries.names()]));
    this.pictures.take(panels);
    this.count();
    if (data.refused || this.refused) this.say(data.refused ?? "", this.boxes[this.hand.active]);
    this.refused = data.refused;
    this.changed(); // an export must not follow what was told of another map
  }

  /** Show all of each panel, or what was seen of it before the page was left. */
  setViews() {
    const kept = this.data.state.panels ?? [];
    this.views = this.panels.map((panel, i) => {
      const box = this.boxes[this.space ? 0 : i];
      const [left, top, width, height] = panel.frame;
      const fitted = viewOf({ left, top, width, height }, box);
      const before = kept.length === this.panels.length ? kept[i] : null;
      if (!before || before.points !== panel.points.name) return fitted;
      const { x, y, rotation, flipped } = before;
      return { x, y, rotation, flipped, scale: box.width / before.width };
    });
  }

  /** Have the page run again, which signs addresses anew. */
  renew() {
    if (Date.now() - this.renewed < 5000) return this.say("The page must be loaded again.");
    this.renewed = Date.now();
    this.trigger("renew", this.renewed);
  }

  // ---- where panels are

  layOut() {
    if (this.data === NOTHING) return;
    const whole = this.root.clientWidth;
    this.root.classList.toggle("narrow", whole < NARROW);
    const width = this.main.clientWidth;
    this.width = width;
    if (!width) return; // hidden; once it is seen, it is laid out
    const [rows, columns] = this.space ? [1, 1] : this.data.grid;
    const panelWidth = (width - GAP * (columns - 1)) / columns;
    const aspect = this.space ? 0.62 : Math.max(...this.panels.map(({ frame }) => frame[3] / frame[2]));
    const tallest = Math.max(rows === 1 ? 420 : 300, window.innerHeight * (rows === 1 ? 0.74 : 0.52));
    const panelHeight = Math.max(220, Math.min(aspect * panelWidth, tallest));
    const height = Math.round(rows * (panelHeight + HEAD) + GAP * (rows - 1));
    /** @type {Box | undefined} */
    const before = this.boxes[0];
    this.stage.style.height = `${height}px`;
    this.height = height;
    const n = this.space ? 1 : this.panels.length;
    this.boxes = boxesOf(n, [rows, columns], width, height, { head: HEAD, gap: GAP });
    if (!this.views.length) this.setViews();
    else if (before) {
      const grown = this.boxes[0].width / before.width;
      this.views = this.views.map((view) => ({ ...view, scale: view.scale * grown }));
    }
    this.renderer?.resize(width, height, window.devicePixelRatio || 1);
    this.writeTitles();
    this.draw();
  }

  writeTitles() {
    /** @type {(words: string, second: string, box: Box) => HTMLElement} */
    const title = (words, second, box) =>
      element(
        "div",
        {
          className: "title",
          style: { left: `${box.left}px`, top: `${box.top - HEAD}px`, maxWidth: `${box.width}px` },
        },
        element("b", { textContent: words }),
        second,
      );
    const { scale, stack } = this.data;
    if (stack) return this.titles.replaceChildren(title(stack.title, stack.n, this.boxes[0]));
    const own = (/** @type {number} */ i) =>
      scale.kind === "numbers" && !this.settings.locked
        ? `, colours ${this.settings.rangeOf(i).map(short).join(" to ")}`
        : "";
    this.titles.replaceChildren(
      ...this.panels.map((panel, i) => title(panel.title, panel.said + own(i), this.boxes[i])),
    );
  }

  /**
   * The panel at a point of the stage, or -1.
   *
   * @param {Point} point
   */
  panelAt([x, y]) {
    return this.boxes.findIndex(
      ({ left, top, width, height }) => x >= left && x <= left + width && y >= top && y <= top + height,
    );
  }

  // ---- looking around

  /**
   * Change the view of a panel, and of all where they are linked.
   *
   * @type {(i: number, change: (view: View) => View) => void}
   */
  look(i, change) {
    const before = this.views[i];
    const after = change(before);
    if (!this.settings.linked) this.views = this.views.map((view, k) => (k === i ? after : view));
    else {
      // Places differ between sections, so movements are shared: in um, as each section is turned.
      const shift = matrixOf(before);
      const [dx, dy] = [after.x - before.x, after.y - before.y];
      const [u, v] = [shift[0] * dx + shift[1] * dy, shift[2] * dx + shift[3] * dy];
      this.views = this.views.map((view, k) => {
        if (k === i) return after;
        const [a, b, c, d] = matrixOf(view);
        const mirrored = after.flipped !== before.flipped; // on the screen, so each turns the other way round
        const rotation = mirrored ? -view.rotation : view.rotation + after.rotation - before.rotation;
        return {
          x: view.x + a * u + c * v,
          y: view.y + b * u + d * v,
          scale: (view.scale * after.scale) / before.scale,
          rotation: (rotation + 720) % 360,
          flipped: mirrored ? !view.flipped : view.flipped,
        };
      });
    }
    this.changed(true, true);
  }

  /** @type {(i: number, dx: number, dy: number) => void} */
  pan(i, dx, dy) {
    this.look(i, (view) => moved(view, dx, dy));
  }

  /**
   * Nearer or farther: until a cell fills the panel, or the tissue is a tenth of it.
   *
   * @type {(i: number, point: Point, factor: number) => void}
   */
  zoom(i, point, factor) {
    const [box, { frame, diameter }] = [this.boxes[i], this.panels[i]];
    const least = 0.1 * Math.min(box.width / frame[2], box.height / frame[3]);
    const most = Math.max(box.width / diameter, 10 * least);
    const { scale } = this.views[i];
    const allowed = Math.max(Math.min(least, scale), Math.min(Math.max(most, scale), scale * factor)) / scale;
    this.look(i, (view) => zoomed(view, box, point, allowed));
  }

  /** @type {(i: number, degrees: number) => void} */
  turn(i, degrees) {
    this.look(i, (view) => ({ ...view, rotation: (view.rotation + degrees + 360) % 360 }));
  }

  /** @param {number} i */
  flip(i) {
    this.look(i, (view) => ({ ...view, flipped: !view.flipped, rotation: (360 - view.rotation) % 360 }));
  }

  fit() {
    if (this.space) this.space.reset();
    else {
      this.views = this.panels.map(({ frame: [left, top, width, height] }, i) => {
        const { rotation, flipped } = this.views[i];
        return viewOf({ left, top, width, height }, this.boxes[i], rotation, flipped);
      });
    }
    this.changed();
  }

  /** Draw again, and tell the server once the reader has come to rest. */
  changed(moving = false, wandering = false) {
    this.card.again(); // the cell it tells of may be elsewhere by now
    this.wandering = wandering;
    this.draw(moving);
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(), 250);
  }

  async tell() {
    if (!this.views.length) return; // nobody has seen it yet
    const { path, query } = this.address;
    const body = JSON.stringify(this.state());
    const before = this.stage.dataset.told;
    try {
      await ask(`${path}/state?${query}`, { method: "POST", body, keepalive: true });
      this.stage.dataset.told = body;
      // A file that was prepared shows what was seen before: the page must run again, and take it away.
      if (this.data.exported && before && before !== body) this.trigger("outdated", { at: Date.now() });
    } catch (error) {
      if (error instanceof Expired) this.renew();
    }
  }

  /**
   * What an export needs to know.
   *
   * @returns {State}
   */
  state() {
    const bounded = this.panels.map((_, i) => Boolean(this.boundaries.shown[i]));
    const state = { ...this.settings.state(), bounded, panels: this.windows() };
    return this.space ? { ...state, camera: this.space.state() } : state;
  }

  /**
   * What of each section is seen, in its coordinates.
   *
   * @returns {Window[]}
   */
  windows() {
    return this.views.map((view, i) => ({
      points: this.panels[i].points.name,
      x: view.x,
      y: view.y,
      width: this.boxes[this.space ? 0 : i].width / view.scale,
      aspect: this.boxes[this.space ? 0 : i].height / this.boxes[this.space ? 0 : i].width,
      rotation: view.rotation,
      flipped: view.flipped,
    }));
  }

  // ---- drawing

  /** Boundaries have come. */
  arrived() {
    this.draw();
    if (this.unsettled) this.card.at(this.unsettled);
    this.unsettled = null;
  }

  draw(moving = false) {
    if (!this.views.length) return;
    if (this.stage.dataset.state === "drawn") this.stage.dataset.state = "drawing";
    this.progress = 0;
    if (moving) this.movingUntil = performance.now() + STILL_MS;
    clearTimeout(this.waiting);
    this.goOn();
  }

  /** Draw a frame once the one before is on the screen: a queue of frames would lag behind the hand. */
  goOn() {
    this.due = true;
    if (!this.busy) this.frame ||= requestAnimationFrame(() => this.drawFrame());
  }

  drawFrame() {
    this.frame = 0;
    this.due = false;
    const { renderer } = this;
    if (this.lost || !this.width || !this.views.length) return;
    if (!renderer) {
      this.server?.draw();
      return this.drawOver();
    }
    const total = this.panels.reduce((sum, { n }) => sum + n, 0);
    const from = this.progress;
    const began = performance.now();
    const moving = began < this.movingUntil;
    const to = Math.min(total, from + (moving ? this.atOnce : Math.max(this.atOnce, AT_REST)));
    if (from === 0 && !this.space) {
      this.boundaries.look(this.panels, this.views, this.boxes, this.settings.boundaries, !moving);
      this.keepPicture(renderer, moving);
    }
    this.complete = false;
    renderer.begin(from > 0);
    if (this.space) this.space.draw(renderer, from / total, to / total);
    else this.drawPanels(renderer, from / (total || 1), to / (total || 1));
    this.progress = to;
    this.drawOver();
    this.busy = true;
    renderer.whenDone(() => {
      this.busy = false;
      if (moving) this.pace(to - from, performance.now() - began);
      else if (from === 0) this.learn(performance.now() - began);
      if (this.due) return this.goOn();
      if (to < total || this.kept || this.boundaries.lacking) return;
      this.complete = true;
      Object.assign(this.stage.dataset, {
        state: this.boundaries.pending ? "drawing" : "drawn",
        shows: this.data.scale.title,
      });
    });
    this.stage.dataset.drawn = `${to}`;
    this.stage.dataset.polygons = `${this.boundaries.drawn}`;
    if (this.kept || this.boundaries.lacking)
      this.progress = 0; // all is drawn once the hand rests
    else if (to >= total) return;
    const wait = this.movingUntil - performance.now();
    if (wait > 0) this.waiting = setTimeout(() => this.goOn(), wait);
    else this.goOn();
  }

  /**
   * While the hand moves over more boundaries than a frame has time for, a picture of them moves with it.
   *
   * @type {(renderer: Renderer, moving: boolean) => void}
   */
  keepPicture(renderer, moving) {
    const heavy = this.boundaries.corners > this.perMs * (FRAME_MS / 2);
    if (!moving || !this.wandering || !heavy) this.kept = null;
    else if (!this.kept && this.complete && this.drawnViews.length) {
      for (const [i, box] of this.boxes.entries()) renderer.take(`kept/${i}`, box);
      this.kept = this.drawnViews;
    }
  }

  /**
   * Learn how long boundaries take.
   *
   * @param {number} took
   */
  learn(took) {
    const { corners } = this.boundaries;
    if (corners > 20_000) this.perMs = (this.perMs + corners / Math.max(took, 1)) / 2;
  }

  /**
   * Draw as many cells in a frame as this machine does in time.
   *
   * @type {(n: number, took: number) => void}
   */
  pace(n, took) {
    if (n < this.atOnce / 2) return; // that says little of what many would take
    const fitting = (n * FRAME_MS) / Math.max(took, 8);
    this.atOnce = Math.round(Math.max(FEWEST, Math.min(MOST, (this.atOnce + fitting) / 2)));
  }

  /** @type {(renderer: Renderer, from: number, to: number) => void} */
  drawPanels(renderer, from, to) {
    const ground = rgba(this.data.style.ground);
    this.panels.forEach((panel, i) => {
      const [view, box] = [this.views[i], this.boxes[i]];
      const matrix = matrixOf(view);
      renderer.within(box, from === 0 && ground[3] ? ground : null);
      if (from === 0) this.pictures.draw(renderer, i, view, box, this.settings.image, ground);
      const project = projection(view, matrix, panel.origin, box);
      const size = panel.diameter * this.settings.size * view.scale;
      const ranked =
        this.data.scale.kind === "labels" || this.data.scale.missing.n > 0 || Boolean(panel.predicted);
      const look = { ...this.lookOf(i), ranked };
      const rest = this.kept ? null : this.boundaries.shown[i]?.rest;
      if (from === 0 && !this.kept) this.boundaries.draw(renderer, i, panel, look, view, box);
      const n = rest ? rest.array.length : panel.n;
      renderer.draw(panel, { ...look, project, size }, Math.floor(n * from), Math.floor(n * to), rest);
      for (const { gene, colour, points } of panel.transcripts) {
        if (this.kept || this.settings.hidden.has(`${TRANSCRIPTS}${gene}`)) continue;
        const m = points.array.length / 2;
        renderer.drawDots(points, colour, { project, size: DOT }, Math.floor(m * from), Math.floor(m * to));
      }
      if (this.kept)
        renderer.drawTile(
          `kept/${i}`,
          stretched(this.kept[i], box),
          projection(view, matrix, [0, 0], box),
          1,
          [0, 0, 0, 0],
        );
    });
    if (!this.kept) this.drawnViews = this.views;
    if (from > 0) return;
    this.pictures.tidy(renderer);
    this.boundaries.tidy(renderer);
  }

  /**
   * How cells of a panel look.
   *
   * @param {number} i
   * @returns {Colouring}
   */
  lookOf(i) {
    const { scale } = this.data;
    const { hidden, classes, thresholds } = this.settings;
    const colours = new Float32Array(44);
    /** @type {(k: number, colour: string, label: string) => void} */
    const set = (k, colour, label) => colours.set(hidden.has(label) ? [0, 0, 0, 0] : rgba(colour), 4 * k);
    set(9, scale.missing.colour, "__missing__");
    const { hollow } = scale.missing;
    if (scale.kind === "labels") {
      for (const [k, { colour, label }] of scale.entries.entries()) set(k, colour, label);
      set(8, scale.rest.colour, "__rest__");
      return { kind: 1, range: [0, 1], thresholds: [0, 0], classes: false, hollow, shown: [1, 1], colours };
    }
    const [low, middle, high] = classColours(scale.palette);
    set(0, low, "__low__");
    set(1, middle, "__intermediate__");
    set(2, high, "__high__");
    const limited = thresholds.length === 2;
    return {
      kind: 0,
      palette: scale.palette,
      range: this.settings.rangeOf(i),
      thresholds: limited ? thresholds : [0, 0],
      classes: classes && limited,
      hollow,
      shown: ["__measured__", "__imputed__"].map((label) => (hidden.has(label) ? 0 : 1)),
      colours,
    };
  }

  drawOver() {
    const { overlay } = this;
    overlay.begin(this.width, this.height, window.devicePixelRatio || 1);
    if (this.space) this.space.drawOver(overlay);
    else {
      for (const [i, panel] of this.panels.entries()) {
        const [view, box] = [this.views[i], this.boxes[i]];
        overlay.within(box, () => {
          for (const corners of panel.outlines) overlay.outline(view, box, corners, "#000");
          for (const { name, colour, rings } of panel.sets ?? []) {
            for (const [k, ring] of rings.entries()) overlay.outline(view, box, ring, colour, k ? "" : name);
          }
          for (const [k, place] of (panel.landmarks ?? []).entries()) {
            const [x, y] = toScreen(view, box, place);
            overlay.ring([x, y], 6, "#D55E00");
            overlay.text(String(k + 1), x + 9, y + 4);
          }
          overlay.scaleBar(box, view.scale, panel.unit);
          overlay.note(orientation(view), box);
        });
        overlay.border(box, this.panels.length > 1 && i === this.hand.active);
      }
    }
    this.hand.drawOver(overlay);
  }

  // ---- cells

  /**
   * The cell nearest to a point of the screen.
   *
   * @param {Point} point
   * @returns {Cell | null}
   */
  cellAt(point) {
    if (!this.views.length || !this.renderer) return null;
    if (this.space) return this.space.cellAt(point);
    const i = this.panelAt(point);
    if (i < 0) return null;
    const panel = this.panels[i];
    if (!panel.n) return null;
    const [x, y] = toTissue(this.views[i], this.boxes[i], point);
    const reach = Math.max((panel.diameter * this.settings.size) / 2, 5 / this.views[i].scale);
    const [left, top] = panel.origin;
    const { array } = panel.points;
    const within = this.boundaries.shown[i] ? this.boundaries.at(i, x, y, this.aboveIn(panel)) : -1;
    this.unsettled = within === null ? point : null;
    if (within === null) return null;
    const counts = (/** @type {number} */ at) => this.isShown(panel, at) && !this.boundaries.has(i, at);
    const place = within >= 0 ? within : nearestOf(array).find(x - left, y - top, reach, counts);
    if (place < 0) return null;
    /** @type {Point} */
    const there = [array[2 * place] + left, array[2 * place + 1] + top];
    return { panel: i, place, at: toScreen(this.views[i], this.boxes[i], there) };
  }

  /**
   * Says whether a cell is shown, and drawn above another one (-1: none).
   *
   * @type {(panel: Loaded) => (place: number, other: number) => boolean}
   */
  aboveIn(panel) {
    const { values, predicted } = panel;
    const rank = (/** @type {number} */ place) => {
      const value = values.array[place];
      if (value === values.missing) return 0;
      if (this.data.scale.kind === "labels") return value > 253.5 ? 1 : 2 + value;
      return predicted?.array[place] ? 2 : 1;
    };
    return (place, other) => this.isShown(panel, place) && (other < 0 || rank(place) >= rank(other));
  }

  /**
   * Whether a cell of a panel is not switched off in the legend.
   *
   * @type {(panel: Loaded, place: number) => boolean}
   */
  isShown({ values, predicted }, place) {
    const { scale } = this.data;
    const { hidden, classes, thresholds } = this.settings;
    if (!hidden.size) return true;
    const value = values.array[place];
    if (value === values.missing) return !hidden.has("__missing__");
    if (scale.kind === "labels") return !hidden.has(scale.entries[value]?.label ?? "__rest__");
    if (hidden.has(predicted?.array[place] ? "__imputed__" : "__measured__")) return false;
    const of = value < thresholds[0] ? "__low__" : value > thresholds[1] ? "__high__" : "__intermediate__";
    return !(classes && thresholds.length === 2 && hidden.has(of));
  }

  /** Count cells of each class for the legend. */
  count() {
    const { scale } = this.data;
    if (!this.renderer || scale.kind !== "numbers" || scale.thresholds.length !== 2) return;
    const [low, high] = this.settings.thresholds;
    const n = [0, 0, 0];
    for (const { values } of this.panels) {
      for (const value of values.array)
        if (value !== values.missing) n[value < low ? 0 : value > high ? 2 : 1]++;
    }
    this.legend.count(n);
  }

  /**
   * Undo or redo a change of cell sets; not what somebody else changed since.
   *
   * @param {"undo" | "redo"} which
   */
  step(which) {
    this.say("");
    if (this.data.sets?.[which]) this.trigger(which, { seen: this.data.sets.version, at: Date.now() });
  }

  /** @returns {Actions} */
  legendActions() {
    const { settings } = this;
    const follow = (done = true) => {
      this.legend.update();
      this.changed(!done);
    };
    return {
      toggle: (label) => {
        settings.toggle(label);
        this.legend.show(this.data.scale, this.panels.length);
        this.count();
        this.changed();
      },
      pick: (label, event) => {
        if (this.data.sets) this.trigger("entry", { label, mode: modeOf(event), at: Date.now() });
      },
      range: (low, high, done) => {
        settings.range = [low, high];
        follow(done);
      },
      thresholds: (values, done) => {
        settings.thresholds = values;
        settings.classes = true; // so that the tissue answers to the hand
        if (done) this.legend.show(this.data.scale, this.panels.length);
        this.count();
        if (done && this.data.editable) this.trigger("thresholds", { values, at: Date.now() });
        follow(done);
      },
      classes: (on) => {
        settings.classes = on;
        follow();
      },
      lock: (on) => {
        settings.locked = on;
        this.writeTitles();
        follow();
      },
    };
  }

  /**
   * Say something, in a panel or at the foot of the map.
   *
   * @param {string} words
   * @param {Box} [box]
   */
  say(words, box) {
    this.said.textContent = words;
    this.said.hidden = !words;
    const place = box
      ? { left: `${box.left + 8}px`, top: `${box.top + 8}px`, bottom: "auto" }
      : { left: "", top: "", bottom: "" };
    Object.assign(this.said.style, place);
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.waiting);
    this.resized.disconnect();
    this.hand.destroy();
    this.stopped.abort();
    this.renderer?.destroy();
  }
}

/**
 * The genes whose transcripts are shown, with how many there are in all panels.
 *
 * @param {Loaded[]} panels
 */
function genesOf(panels) {
  /** @type {Map<string, { name: string, colour: string, n: number }>} */
  const genes = new Map();
  for (const { gene, colour, n } of panels.flatMap((panel) => panel.transcripts))
    genes.set(gene, { name: gene, colour, n: n + (genes.get(gene)?.n ?? 0) });
  return [...genes.values()];
}

/**
 * Where a picture of a box lies that shows a view, its rows from below.
 *
 * @type {(view: View, box: Box) => { corner: Point, across: Point, down: Point }}
 */
function stretched(view, box) {
  const at = (/** @type {number} */ u, /** @type {number} */ v) =>
    toTissue(view, box, [box.left + u * box.width, box.top + v * box.height]);
  const [corner, right, above] = [at(0, 1), at(1, 1), at(0, 0)];
  return {
    corner,
    across: [right[0] - corner[0], right[1] - corner[1]],
    down: [above[0] - corner[0], above[1] - corner[1]],
  };
}

/**
 * How a section lies, where it is not as it was measured.
 *
 * @param {View} view
 */
export function orientation({ rotation, flipped }) {
  return [rotation ? `turned ${Math.round(rotation)}°` : "", flipped ? "mirrored" : ""]
    .filter(Boolean)
    .join(", ");
}

/** @type {WeakMap<ArrayBufferLike, Nearest>} */
const indices = new WeakMap(); // by what was fetched, of which each update makes an array of its own

/** @param {Float32Array} points */
function nearestOf(points) {
  const index = indices.get(points.buffer) ?? new Nearest(points);
  indices.set(points.buffer, index);
  return index;
}
