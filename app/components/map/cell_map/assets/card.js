// The card beside the pointer: what is known of a cell, asked of the server once the pointer rests on it.

import { element } from "./dom.js";
import { Expired, ask } from "./store.js";

const REST_MS = 70;
const KEPT = 500;

export class Card {
  constructor(map) {
    this.map = map;
    this.root = element("div", { className: "card", hidden: true, role: "status" });
    map.stage.append(this.root);
    this.known = new Map();
  }

  at(point) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(point), REST_MS);
  }

  async look(point) {
    const cell = this.map.cellAt(point);
    if (!cell) return this.hide();
    const { path, query } = this.map.address;
    const address = `${path}/cell/${cell.panel}/${cell.place}`;
    const version = this.map.panels[cell.panel].values.name;
    const key = `${address} ${version}`;
    this.wanted = key;
    if (!this.known.has(key)) {
      this.stopped?.abort();
      this.stopped = new AbortController();
      try {
        const response = await ask(`${address}?${query}`, { signal: this.stopped.signal });
        this.known.set(key, await response.json());
      } catch (error) {
        if (error instanceof Expired) this.map.renew();
        return;
      }
      if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
    }
    if (this.wanted === key) this.show(this.known.get(key), cell.at);
  }

  show(lines, [x, y]) {
    const list = element("dl");
    for (const [name, text] of lines)
      list.append(element("dt", { textContent: name }), element("dd", { textContent: text }));
    this.root.replaceChildren(list);
    this.root.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.root;
    const left = x + 14 + width > this.map.width ? x - 14 - width : x + 14;
    const top = Math.min(Math.max(0, y - height / 2), Math.max(0, this.map.height - height));
    Object.assign(this.root.style, { left: `${Math.max(0, left)}px`, top: `${top}px` });
  }

  hide() {
    clearTimeout(this.timer);
    this.wanted = null;
    this.root.hidden = true;
  }
}
