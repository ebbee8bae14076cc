// A field for one file or folder: dropped or chosen, streamed to the server, with its progress and a way to stop.

import { chosen, dropped } from "./given.js";
import { renew, sendAll } from "./sending.js";
import { aborted, forget, wordsOf } from "./server.js";

/**
 * @import { DropData, DropEvents } from "./contract"
 * @import { Given } from "./given.js"
 *
 * @typedef {<Name extends keyof DropEvents>(name: Name, value: DropEvents[Name]) => void} Trigger
 */

/** @type {WeakMap<Node, FileDrop>} */
const fields = new WeakMap();
const HTML = `
  <div class="zone">
    <b class="call"></b>
    <div class="choices">
      <label class="button">Choose a file<input class="file" type="file" aria-describedby="hint" /></label>
      <label class="button">Choose a folder<input class="folder" type="file" webkitdirectory /></label>
    </div>
    <span class="hint" id="hint"></span>
  </div>
  <div class="way" hidden>
    <b class="name"></b>
    <progress max="100" value="0"></progress>
    <div class="row"><span class="numbers"></span><button class="button" type="button">Cancel</button></div>
  </div>
  <p class="said" role="status"></p>
  <p class="problem" role="alert"></p>`;

/** @param {{ parentElement: HTMLElement | ShadowRoot, data: DropData, setTriggerValue: Trigger }} component */
export default function mount({ parentElement, data, setTriggerValue }) {
  const field = fields.get(parentElement) ?? new FileDrop(parentElement);
  fields.set(parentElement, field);
  field.update(data, setTriggerValue);
  // Streamlit also calls this for a mount that a newer one overtook, so it counts only once the field is gone.
  return () => setTimeout(() => parentElement.isConnected || field.cancel());
}

class FileDrop {
  /** @param {HTMLElement | ShadowRoot} parent */
  constructor(parent) {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("style.css", import.meta.url).href;
    this.root = document.createElement("div");
    this.root.className = "drop";
    this.root.innerHTML = HTML;
    parent.append(style, this.root);
    this.zone = part(this.root, ".zone", HTMLElement);
    this.call = part(this.root, ".call", HTMLElement);
    this.way = part(this.root, ".way", HTMLElement);
    this.file = part(this.root, ".file", HTMLInputElement);
    this.folder = part(this.root, ".folder", HTMLInputElement);
    this.bar = part(this.root, "progress", HTMLProgressElement);
    this.numbers = part(this.root, ".numbers", HTMLElement);
    this.name = part(this.root, ".name", HTMLElement);
    this.said = part(this.root, ".said", HTMLElement);
    this.problem = part(this.root, ".problem", HTMLElement);
    this.hint = part(this.root, ".hint", HTMLElement);

    /** @type {DropData | null} */
    this.data = null;
    /** @type {Trigger} */
    this.trigger = () => {};
    /** @type {AbortController | null} */
    this.running = null; // stops what is being sent
    this.begun = ""; // the address at which something of it may lie on the server
    this.mounted = () => {}; // called when the page has run again

    for (const input of [this.file, this.folder]) {
      input.addEventListener("change", () => {
        const files = [...(input.files ?? [])];
        input.value = ""; // so that the same one can be chosen again
        if (files.length) this.take(async () => chosen(files));
      });
    }
    for (const event of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
      this.zone.addEventListener(event, (dragged) => {
        dragged.preventDefault();
        this.zone.classList.toggle("over", event === "dragenter" || event === "dragover");
      });
    }
    this.zone.addEventListener("drop", (event) => {
      const items = [...(event.dataTransfer?.items ?? [])]; // to be read now: they are gone after the event
      const entries = items.flatMap((item) => item.webkitGetAsEntry() ?? []);
      const tell = (/** @type {number} */ found) => this.looked(found);
      const atMost = this.data?.max_files ?? 0;
      if (entries.length) this.take((signal) => dropped(entries, atMost, tell, signal));
    });
    part(this.root, "button", HTMLButtonElement).addEventListener("click", () => {
      this.forget();
      this.file.focus();
    });
  }

  /** @type {(data: DropData, trigger: Trigger) => void} */
  update(data, trigger) {
    const renewed = data.address !== this.data?.address;
    this.data = data;
    this.trigger = trigger;
    this.call.textContent = data.folders ? "Drop a folder or a file here" : "Drop a file here";
    this.file.accept = data.folders ? "" : data.endings.join(","); // files of a folder may be chosen at once
    this.file.multiple = data.folders;
    part(this.root, ".choices label:last-child", HTMLElement).hidden = !data.folders;
    this.hint.textContent = `${data.hint} · up to ${megabytes(data.max_bytes)} MB`;
    this.mounted();
    if (renewed && !this.running) this.said.textContent = ""; // the page says what became of the last one
  }

  // ---- what the reader does

  /** @param {(signal: AbortSignal) => Promise<Given>} look */
  async take(look) {
    if (this.running) return;
    const running = new AbortController();
    this.running = running;
    this.looked(0);
    await this.unless(running, async () => {
      const given = await look(running.signal);
      if (given.parts && !this.data?.folders) throw new Error("One file at a time, please, and no folder.");
      await this.send(given, running);
    });
  }

  /** Stop, but for what is on the server: with that it can go on another time. */
  cancel() {
    this.running?.abort();
    this.running = null;
  }

  /** Stop, and have the server remove what it has. */
  async forget() {
    const begun = this.begun;
    this.cancel();
    this.end(begun ? "Cancelled." : "Cancelled. Nothing was kept.");
    if (!begun) return;
    const gone = await forget(begun)
      .catch(() => renew(begun, this, new AbortController().signal).then(() => forget(this.address)))
      .catch(() => false);
    if (this.running) return;
    this.said.textContent = gone
      ? "Cancelled. Nothing was kept."
      : "Cancelled. What had come is deleted within a day.";
  }

  // ---- what the server says

  get address() {
    return this.data?.address ?? "";
  }

  /**
   * Say what goes wrong, unless it was stopped.
   *
   * @type {(running: AbortController, work: () => Promise<void>) => Promise<void>}
   */
  async unless(running, work) {
    try {
      await work();
    } catch (error) {
      if (this.running === running && !aborted(error)) this.end("", wordsOf(error));
    }
  }

  /** @type {(given: Given, running: AbortController) => Promise<void>} */
  async send(given, { signal }) {
    this.show(given);
    const { sha256 } = await sendAll(given, this, signal);
    this.end(`${titleOf(given)} has come.`);
    this.trigger("done", sha256);
  }

  /** @type {() => Promise<void>} Until the page has run again, for whatever reason. */
  remounted() {
    return new Promise((resolve) => {
      this.mounted = resolve;
    });
  }

  // ---- what is seen

  /** @param {number} found */
  looked(found) {
    this.name.textContent = "";
    this.numbers.textContent = `Looking through what is to be sent: ${counted(found)} …`;
    this.bar.removeAttribute("value");
    this.begin();
  }

  /** @param {Given} given */
  show(given) {
    const title = titleOf(given);
    this.name.textContent = title;
    this.bar.setAttribute("aria-label", `Upload of ${title}`);
    this.said.textContent = `Sending ${title} …`;
    this.numbers.textContent = "Asking the server …";
    this.begin();
  }

  begin() {
    this.problem.textContent = "";
    this.zone.hidden = true;
    this.way.hidden = false;
  }

  /** @type {(sent: number, given: Given, ends: Float64Array) => void} */
  progress(sent, { parts, size }, ends) {
    const share = size ? Math.floor((100 * Math.min(sent, size)) / size) : 100;
    const files = parts ? `${before(ends, sent).toLocaleString("en-US")} of ${counted(ends.length)}, ` : "";
    this.bar.value = share;
    this.numbers.textContent =
      share < 100
        ? `${files}${megabytes(sent)} of ${megabytes(size)} MB (${share} %)`
        : "All sent, the server is writing …";
  }

  /** @type {(why: string, seconds: number) => void} */
  waits(why, seconds) {
    this.numbers.textContent = `${why} Trying again in ${seconds} s …`;
  }

  /** @type {(given: Given, share: number) => void} */
  goesOn(given, share) {
    const at = `at ${Math.floor(100 * share)} % …`;
    this.said.textContent = `Continuing ${titleOf(given)} ${at}`;
    this.numbers.textContent = `Continuing ${at}`;
  }

  /** @param {string} said */
  end(said, problem = "") {
    this.running = null;
    this.begun = "";
    this.said.textContent = said;
    this.problem.textContent = problem;
    this.zone.hidden = false;
    this.way.hidden = true;
  }
}

/**
 * The part of an element that a selector names.
 *
 * @template {HTMLElement} Kind
 * @param {HTMLElement} root
 * @param {string} selector
 * @param {new () => Kind} Kind
 */
function part(root, selector, Kind) {
  const found = root.querySelector(selector);
  if (!(found instanceof Kind)) throw new Error(`There is no ${selector}.`);
  return found;
}

/** @type {(ends: Float64Array, sent: number) => number} How many files end before so many bytes. */
function before(ends, sent) {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle] <= sent) low = middle + 1;
    else high = middle;
  }
  return low;
}

const titleOf = (/** @type {Given} */ given) => given.name || counted(given.files.length);

const counted = (/** @type {number} */ files) =>
  `${files.toLocaleString("en-US")} ${files === 1 ? "file" : "files"}`;

const megabytes = (/** @type {number} */ bytes) =>
  (bytes / 1e6).toLocaleString("en-US", { maximumFractionDigits: bytes < 1e8 ? 1 : 0 });
