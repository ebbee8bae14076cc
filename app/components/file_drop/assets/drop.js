// A field for one large file: chosen or dropped, streamed to the server, with its progress and a way to stop it.

/**
 * @import { DropData, DropEvents, Problem, Received } from "./contract"
 *
 * @typedef {<Name extends keyof DropEvents>(name: Name, value: DropEvents[Name]) => void} Trigger
 */

/** @type {WeakMap<Node, FileDrop>} */
const fields = new WeakMap();
const AGAIN_MS = 500; // a file that was cancelled may still be on its way out
const TRIES = 6;
const HTML = `
  <div class="zone">
    <input type="file" aria-describedby="hint" />
    <b>Drop a file here, or choose one</b>
    <span class="hint" id="hint"></span>
  </div>
  <div class="way" hidden>
    <b class="name"></b>
    <progress max="100" value="0"></progress>
    <div class="row"><span class="numbers"></span><button type="button">Cancel</button></div>
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
    this.way = part(this.root, ".way", HTMLElement);
    this.input = part(this.root, "input", HTMLInputElement);
    this.bar = part(this.root, "progress", HTMLProgressElement);
    this.numbers = part(this.root, ".numbers", HTMLElement);
    this.name = part(this.root, ".name", HTMLElement);
    this.said = part(this.root, ".said", HTMLElement);
    this.problem = part(this.root, ".problem", HTMLElement);
    this.hint = part(this.root, ".hint", HTMLElement);

    this.address = "";
    /** @type {string[]} */
    this.endings = [];
    this.maxBytes = 0;
    /** @type {Trigger} */
    this.trigger = () => {};
    /** @type {AbortController | null} */
    this.running = null; // stops the file that is being sent
    /** @type {File | null} */
    this.waiting = null; // for a new address

    this.input.addEventListener("change", () => {
      this.take([...(this.input.files ?? [])]);
      this.input.value = ""; // so that the same file can be chosen again
    });
    for (const event of /** @type {const} */ (["dragenter", "dragover", "dragleave", "drop"])) {
      this.zone.addEventListener(event, (dragged) => {
        dragged.preventDefault();
        this.zone.classList.toggle("over", event === "dragenter" || event === "dragover");
      });
    }
    this.zone.addEventListener("drop", (dropped) => this.take([...(dropped.dataTransfer?.files ?? [])]));
    part(this.root, "button", HTMLButtonElement).addEventListener("click", () => {
      this.cancel();
      this.end("Cancelled. Nothing was kept.");
      this.input.focus();
    });
  }

  /** @type {(data: DropData, trigger: Trigger) => void} */
  update({ address, endings, max_bytes: maxBytes }, trigger) {
    const renewed = address !== this.address;
    this.address = address;
    this.endings = endings;
    this.maxBytes = maxBytes;
    this.trigger = trigger;
    this.input.accept = endings.join(",");
    this.input.setAttribute("aria-label", `Large file: ${endings.join(", ")}`);
    this.hint.textContent = `${endings.join(", ")} · up to ${megabytes(maxBytes)} MB · goes straight to the disk`;
    if (this.waiting) this.send(this.waiting);
    else if (renewed && !this.running) this.said.textContent = ""; // the page says what became of the last file
  }

  // ---- what the reader does

  /** @param {File[]} files */
  take(files) {
    if (!files.length || this.running) return;
    const [file] = files;
    if (files.length > 1) this.end("", "One file at a time, please.");
    else if (!this.endings.some((ending) => file.name.toLowerCase().endsWith(ending)))
      this.end("", `This file cannot be read. Files ending in ${this.endings.join(", ")} can.`);
    else if (file.size > this.maxBytes)
      this.end(
        "",
        `This file has ${megabytes(file.size)} MB, and the server takes ${megabytes(this.maxBytes)} MB.`,
      );
    else this.send(file);
  }

  cancel() {
    this.running?.abort();
    this.running = this.waiting = null;
  }

  // ---- what the server says

  /** @param {File} file */
  async send(file) {
    const running = new AbortController();
    this.running = running;
    this.show(file);
    try {
      const refused = await this.ask(file, running.signal);
      if (refused.status === 403 || refused.status === 404) return this.renew(file);
      if (refused.problem) throw new Error(refused.problem);
      const answer = await this.put(file, running.signal);
      this.end(`${file.name} has come.`);
      this.trigger("done", answer.sha256);
    } catch (error) {
      if (this.running === running && !aborted(error)) this.end("", wordsOf(error));
    }
  }

  /**
   * Ask beforehand whether the server will take a file, or afterwards (without one) why it did not.
   *
   * @param {File | null} file
   * @param {AbortSignal} signal
   */
  async ask(file, signal) {
    /** @type {Record<string, string>} */
    const headers = file ? { "X-File-Name": encoded(file.name) } : {};
    for (let n = 1; ; n++) {
      const response = await fetch(`${this.address}${file ? `&bytes=${file.size}` : ""}`, {
        headers,
        signal,
      }).catch((error) => {
        throw aborted(error) ? error : new Error("The server cannot be reached.");
      });
      /** @type {Problem} */
      const { problem } = await response.json().catch(() => ({ problem: "The server gave no answer." }));
      if (response.status !== 409 || n === TRIES) return { status: response.status, problem };
      await new Promise((go) => setTimeout(go, AGAIN_MS));
    }
  }

  /** @type {(file: File, signal: AbortSignal) => Promise<Received>} */
  put(file, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch tells nothing of what it has sent
      request.open("PUT", this.address);
      request.setRequestHeader("X-File-Name", encoded(file.name));
      request.responseType = "json";
      request.upload.onprogress = (event) => this.progress(event.loaded, file.size);
      request.onload = () => {
        if (request.status === 201) resolve(request.response);
        else reject(new Error(request.response?.problem || "The server did not take the file."));
      };
      request.onerror = async () => {
        const told = await this.ask(null, signal).catch((error) => ({ problem: wordsOf(error) }));
        reject(
          new Error(told.problem || "The connection broke off, or the file changed meanwhile. Try again."),
        );
      };
      request.onabort = () => reject(new DOMException("", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(file);
    });
  }

  /**
   * Have the page run again, which signs the address anew.
   *
   * @param {File} file
   */
  renew(file) {
    if (this.waiting) return this.end("", "The page must be loaded again.");
    this.waiting = file;
    this.trigger("renew", Date.now());
  }

  // ---- what is seen

  /** @param {File} file */
  show(file) {
    this.name.textContent = file.name;
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.said.textContent = `Sending ${file.name}, ${megabytes(file.size)} MB …`;
    this.problem.textContent = "";
    this.zone.hidden = true;
    this.way.hidden = false;
    this.progress(0, file.size);
  }

  /** @type {(sent: number, size: number) => void} */
  progress(sent, size) {
    const share = size ? Math.floor((100 * Math.min(sent, size)) / size) : 100;
    this.bar.value = share;
    this.numbers.textContent =
      share < 100
        ? `${megabytes(sent)} of ${megabytes(size)} MB (${share} %)`
        : "All sent, the server is writing …";
  }

  /** @param {string} said */
  end(said, problem = "") {
    this.running = this.waiting = null;
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

const aborted = (/** @type {unknown} */ error) => error instanceof Error && error.name === "AbortError";

const wordsOf = (/** @type {unknown} */ error) => (error instanceof Error ? error.message : String(error));

const megabytes = (/** @type {number} */ bytes) =>
  (bytes / 1e6).toLocaleString("en-US", { maximumFractionDigits: bytes < 1e8 ? 1 : 0 });

/** A name as a header may hold it; half a surrogate pair cannot be encoded. */
const encoded = (/** @type {string} */ name) => encodeURIComponent(name.replace(/\p{Surrogate}/gu, "_"));
