// Where the browser has no WebGL2: a picture by the server, of the same view. The newest view wins.

import { element } from "./dom.js";
import { Expired, ask } from "./store.js";

export class ServerPicture {
  constructor(map) {
    this.map = map;
    this.image = element("img", { className: "picture", alt: "" });
    map.canvas.replaceWith(this.image);
    map.say("This browser has no WebGL2, so the server draws the map.");
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(), 80);
  }

  async fetch() {
    const { map } = this;
    this.stopped?.abort();
    this.stopped = new AbortController();
    const state = { ...map.settings.state(), panels: map.windows(), boxes: map.boxes, width: map.width, height: map.height };
    const { path, query } = map.address;
    try {
      const body = JSON.stringify(state);
      const response = await ask(`${path}/picture?${query}`, { method: "POST", body, signal: this.stopped.signal });
      const address = URL.createObjectURL(await response.blob());
      if (this.address) URL.revokeObjectURL(this.address);
      this.image.src = this.address = address;
      await this.image.decode();
      map.stage.dataset.state = "drawn";
    } catch (error) {
      if (error instanceof Expired) map.renew();
    }
  }
}
