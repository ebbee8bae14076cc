// Where the browser has no WebGL2: a picture by the server, of the same view. One is asked for at a time, and the
// next shows what the reader has come to meanwhile.

import { element } from "./dom.js";
import { ask, Expired, wordsOf } from "./store.js";

/**
 * @import { PictureRequest } from "./contract"
 * @import { TissueMap } from "./map.js"
 */

export class ServerPicture {
  /** @param {TissueMap} map */
  constructor(map) {
    this.map = map;
    this.wanted = false;
    this.busy = false;
    this.address = ""; // of the picture that is shown
    this.image = element("img", { className: "picture", alt: "", draggable: false });
    map.canvas.replaceWith(this.image);
    map.side.append(
      element("div", { textContent: "This browser has no WebGL2, so the server draws the cells." }),
    );
  }

  draw() {
    this.wanted = true;
    this.map.stage.dataset.state = "drawing";
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.wanted) {
      this.wanted = false;
      await this.fetch();
    }
    this.busy = false;
  }

  /**
   * What is to be drawn, where, and how finely.
   *
   * @returns {PictureRequest}
   */
  state() {
    const { map } = this;
    return {
      ...map.state(),
      boxes: map.boxes,
      width: map.width,
      height: map.height,
      diameters: map.panels.map((panel) => panel.diameter),
      ratio: window.devicePixelRatio || 1,
    };
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
      else map.say(`The cells could not be drawn. ${wordsOf(error)}`);
    }
  }
}
