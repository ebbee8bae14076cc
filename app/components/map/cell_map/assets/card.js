// The card beside the pointer: what is known of a cell, asked of the server once the pointer rests on it.

import { element } from "./dom.js";
import { ask, Expired } from "./store.js";

/**
 * @import { Card as Lines, Point } from "./contract"
 * @import { TissueMap } from "./map.js"
 */

const REST_MS = 70;
const KEPT = 500;

export class Card {
  /** @param {TissueMap} map */
  constructor(map) {
    this.map = map;
    this.root = element("div", { className: "card", hidden: true, role: "status" });
    map.stage.append(this.root);
    /** @type {Map<string, Lines>} */
    this.known = new Map(); // by where it was asked for, and what was shown
    this.wanted = "";
    this.timer = 0;
    /** @type {Point | null} */
    this.resting = null; // where the pointer is
    this.stopped = new AbortController();
  }

  /** @param {Point} point */
  at(point) {
    this.resting = point;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(point), REST_MS);
  }

  /** @param {Point} point */
  async look(point) {
    const cell = this.map.cellAt(point);
    if (!cell) return this.close();
    const { path, query } = this.map.address;
    const address = `${path}/cell/${cell.panel}/${cell.place}`;
    const version = this.map.panels[cell.panel].values.name;
    const key = `${address} ${version}`;
    this.wanted = key;
    let lines = this.known.get(key);
    if (!lines) {
      this.stopped.abort();
      this.stopped = new AbortController();
      try {
        const response = await ask(`${address}?${query}`, { signal: this.stopped.signal });
        lines = /** @type {Lines} */ (await response.json());
        this.known.set(key, lines);
      } catch (error) {
        if (error instanceof Expired) this.map.renew();
        return;
      }
      for (const oldest of this.known.keys()) {
        if (this.known.size <= KEPT) break;
        this.known.delete(oldest);
      }
    }
    if (this.wanted === key) this.show(lines, cell.at);
  }

  /** @type {(lines: Lines, at: Point) => void} */
  show(lines, [x, y]) {
    const list = element("dl", {});
    for (const [name, text] of lines)
      list.append(element("dt", { textContent: name }), element("dd", { textContent: text }));
    this.root.replaceChildren(list);
    this.root.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.root;
    const left = x + 14 + width > this.map.width ? x - 14 - width : x + 14;
    const top = Math.min(Math.max(0, y - height / 2), Math.max(0, this.map.height - height));
    Object.assign(this.root.style, { left: `${Math.max(0, left)}px`, top: `${top}px` });
  }

  /** Ask once more, as another cell may lie beneath a pointer that has not moved. */
  again() {
    this.close();
    if (this.resting) this.at(this.resting);
  }

  hide() {
    this.resting = null;
    this.close();
  }

  close() {
    clearTimeout(this.timer);
    this.wanted = "";
    this.root.hidden = true;
  }
}
