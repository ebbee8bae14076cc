// Where the browser has no WebGL2: a picture by the server, of the same view. One is asked for at a time, and the
// next shows what the reader has come to meanwhile.

import { element } from "./dom.js";
import { Expired, ask } from "./store.js";

export class ServerPicture {
  constructor(map) {
    this.map = map;
    this.image = element("img", { className: "picture", alt: "", draggable: false });
    map.canvas.replaceWith(this.image);
    map.side.append(
      element("div", { textContent: "This browser has no WebGL2, so the server draws the cells." }),
    );
  }

  draw() {
    this.wanted = true;
    this.map.stage.dataset.state = "drawing";
    if (!this.busy) this.busy = this.run();
  }

  async run() {
    while (this.wanted) {
      this.wanted = false;
      await this.fetch();
    }
    this.busy = null;
  }

  /** What is to be drawn, where, and how finely. */
  state() {
    const { map } = this;
    const state = {
      ...map.settings.state(),
      panels: map.windows(),
      boxes: map.boxes,
      width: map.width,
      height: map.height,
    };
    Object.assign(state, {
      diameters: map.panels.map((panel) => panel.diameter),
      ratio: window.devicePixelRatio || 1,
    });
    if (map.space) state.camera = map.space.state();
    return state;
  }

  async fetch() {
    const { map } = this;
    const { path, query } = map.address;
    const shows = map.data.scale.title;
    try {
      const response = await ask(`${path}/picture?${query}`, {
        method: "POST",
        body: JSON.stringify(this.state()),
      });
      const address = URL.createObjectURL(await response.blob());
      this.image.src = address;
      await this.image.decode();
      if (this.address) URL.revokeObjectURL(this.address);
      this.address = address;
      if (this.wanted || map.stage.dataset.state !== "drawing") return; // more is on its way
      map.say("");
      Object.assign(map.stage.dataset, { state: "drawn", shows });
    } catch (error) {
      if (!map.root.isConnected) return;
      if (error instanceof Expired) map.renew();
      else map.say(`The cells could not be drawn. ${error.message}`);
    }
  }
}
