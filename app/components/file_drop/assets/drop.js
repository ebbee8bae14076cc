// A field for one large file: chosen or dropped, streamed to the server, with its progress and a way to stop it.

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

export default function mount({ parentElement, data, setTriggerValue }) {
  let field = fields.get(parentElement);
  if (!field) fields.set(parentElement, (field = new FileDrop(parentElement)));
  field.update(data, setTriggerValue);
  // Streamlit also calls this for a mount that a newer one overtook, so it counts only once the field is gone.
  return () => setTimeout(() => parentElement.isConnected || field.cancel());
}

class FileDrop {
  constructor(parent) {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("style.css", import.meta.url).href;
    this.root = document.createElement("div");
    this.root.className = "drop";
    this.root.innerHTML = HTML;
    parent.append(style, this.root);
    const part = (selector) => this.root.querySelector(selector);
    [this.zone, this.way, this.input] = [part(".zone"), part(".way"), part("input")];
    [this.bar, this.numbers, this.name] = [part("progress"), part(".numbers"), part(".name")];
    [this.said, this.problem, this.hint] = [part(".said"), part(".problem"), part(".hint")];

    this.input.addEventListener("change", () => {
      this.take([...this.input.files]);
      this.input.value = ""; // so that the same file can be chosen again
    });
    for (const [event, over] of [
      ["dragenter", true],
      ["dragover", true],
      ["dragleave", false],
      ["drop", false],
    ])
      this.zone.addEventListener(event, (dragged) => {
        dragged.preventDefault();
        this.zone.classList.toggle("over", over);
      });
    this.zone.addEventListener("drop", (dropped) => this.take([...dropped.dataTransfer.files]));
    part("button").addEventListener("click", () => {
      this.cancel();
      this.end("Cancelled. Nothing was kept.");
      this.input.focus();
    });
  }

  update({ address, endings, max_bytes: maxBytes }, trigger) {
    const renewed = address !== this.address;
    Object.assign(this, { address, endings, maxBytes, trigger });
    this.input.accept = endings.join(",");
    this.input.setAttribute("aria-label", `Large file: ${endings.join(", ")}`);
    this.hint.textContent = `${endings.join(", ")} · up to ${megabytes(maxBytes)} MB · goes straight to the disk`;
    if (this.waiting) this.send(this.waiting);
    else if (renewed && !this.running) this.said.textContent = ""; // the page says what became of the last file
  }

  // ---- what the reader does

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

  async send(file) {
    const running = (this.running = new AbortController());
    this.show(file);
    try {
      const refused = await this.ask(file, running.signal);
      if (refused.status === 403 || refused.status === 404) return this.renew(file);
      if (refused.problem) throw new Error(refused.problem);
      const answer = await this.put(file, running.signal);
      this.end(`${file.name} has come.`);
      this.trigger("done", answer.sha256);
    } catch (error) {
      if (this.running === running && error.name !== "AbortError") this.end("", error.message);
    }
  }

  /** Ask beforehand whether the server will take a file, or afterwards (without one) why it did not. */
  async ask(file, signal) {
    const headers = file ? { "X-File-Name": encoded(file.name) } : {};
    for (let n = 1; ; n++) {
      const response = await fetch(`${this.address}${file ? `&bytes=${file.size}` : ""}`, {
        headers,
        signal,
      }).catch((error) => {
        throw error.name === "AbortError" ? error : new Error("The server cannot be reached.");
      });
      const { problem } = await response.json().catch(() => ({ problem: "The server gave no answer." }));
      if (response.status !== 409 || n === TRIES) return { status: response.status, problem };
      await new Promise((go) => setTimeout(go, AGAIN_MS));
    }
  }

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
        const told = await this.ask(null, signal).catch((error) => ({ problem: error.message }));
        reject(
          new Error(told.problem || "The connection broke off, or the file changed meanwhile. Try again."),
        );
      };
      request.onabort = () => reject(new DOMException("", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      request.send(file);
    });
  }

  renew(file) {
    if (this.waiting) return this.end("", "The page must be loaded again.");
    this.waiting = file;
    this.trigger("renew", Date.now());
  }

  // ---- what is seen

  show(file) {
    this.name.textContent = file.name;
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.said.textContent = `Sending ${file.name}, ${megabytes(file.size)} MB …`;
    this.problem.textContent = "";
    this.zone.hidden = true;
    this.way.hidden = false;
    this.progress(0, file.size);
  }

  progress(sent, size) {
    const share = size ? Math.floor((100 * Math.min(sent, size)) / size) : 100;
    this.bar.value = share;
    this.numbers.textContent =
      share < 100
        ? `${megabytes(sent)} of ${megabytes(size)} MB (${share} %)`
        : "All sent, the server is writing …";
  }

  end(said, problem = "") {
    this.running = this.waiting = null;
    this.said.textContent = said;
    this.problem.textContent = problem;
    this.zone.hidden = false;
    this.way.hidden = true;
  }
}

const megabytes = (bytes) =>
  (bytes / 1e6).toLocaleString("en-US", { maximumFractionDigits: bytes < 1e8 ? 1 : 0 });

/** A name as a header may hold it; half a surrogate pair cannot be encoded. */
const encoded = (name) => encodeURIComponent(name.replace(/\p{Surrogate}/gu, "_"));
