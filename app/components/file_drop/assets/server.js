// What is said to the server, and what it says: whether something is taken, and the thing itself.

/**
 * @import { Listed, Problem, Received } from "./contract"
 * @import { Given } from "./given.js"
 *
 * @typedef {Problem & { status: number, listing?: string, unwanted?: number[] }} Answer
 */

const AGAIN_MS = 500; // what was cancelled may still be on its way out
const TRIES = 6;

/**
 * Ask beforehand whether something will be taken, and what of a folder; or afterwards (with nothing) why not.
 *
 * @param {string} address
 * @param {Given | null} given
 * @param {AbortSignal} signal
 * @returns {Promise<Answer>}
 */
export async function ask(address, given, signal) {
  const parts = given?.parts;
  const query = given && !parts ? `&bytes=${given.size}` : "";
  const headers = given ? { "X-File-Name": encoded(given.name) } : undefined;
  const method = parts ? "POST" : "GET";
  const body = parts?.map(({ path, file }) => `${file.size} ${encoded(path)}\n`).join("");
  for (let n = 1; ; n++) {
    const response = await fetch(address + query, { method, headers, body, signal }).catch((error) => {
      throw aborted(error) ? error : new Error("The server cannot be reached.");
    });
    /** @type {Problem | Listed} */
    const answer = await response.json().catch(() => ({ problem: "The server gave no answer." }));
    if (response.status !== 409 || n === TRIES) return { ...answer, status: response.status };
    await new Promise((go) => setTimeout(go, AGAIN_MS));
  }
}

/**
 * Send a file, or the files of a folder one after the other.
 *
 * @param {string} address
 * @param {Given} given
 * @param {Blob} content
 * @param {string} listing which the server gave for a folder
 * @param {(sent: number) => void} tell
 * @param {AbortSignal} signal
 * @returns {Promise<Received>}
 */
export function put(address, given, content, listing, tell, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of what it has sent
    request.open("PUT", address);
    if (given.parts) request.setRequestHeader("X-Listing", listing);
    else request.setRequestHeader("X-File-Name", encoded(given.name));
    request.responseType = "json";
    request.upload.onprogress = (event) => tell(event.loaded);
    request.onload = () => {
      if (request.status === 201) resolve(request.response);
      else reject(new Error(request.response?.problem || "The server did not take it."));
    };
    request.onerror = async () => {
      const told = await ask(address, null, signal).catch((error) => ({ problem: wordsOf(error) }));
      reject(new Error(told.problem || "The connection broke off, or a file changed meanwhile. Try again."));
    };
    request.onabort = () => reject(new DOMException("", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(content);
  });
}

export const aborted = (/** @type {unknown} */ error) =>
  error instanceof Error && error.name === "AbortError";

export const wordsOf = (/** @type {unknown} */ error) =>
  error instanceof Error ? error.message : String(error);

/** A name as a header may hold it; half a surrogate pair cannot be encoded. */
const encoded = (/** @type {string} */ name) => encodeURIComponent(name.replace(/\p{Surrogate}/gu, "_"));
