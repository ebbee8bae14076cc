// What is said to the server, and what it says: whether something is taken, how much of it came, and the thing.

/**
 * @import { Begun, Listed, Problem, Received } from "./contract"
 * @import { Given } from "./given.js"
 */

const AGAIN_MS = 500; // what was cancelled may still be on its way out
const TRIES = 8;
const STILL_MS = 75_000; // the server waits for a minute
const UNREACHABLE = "The server cannot be reached.";

/** The way was cut, or is not free yet: it can go on later. */
export class CutOff extends Error {
  /** @param {string} words @param {boolean} [begun] whether it was cut while something was sent */
  constructor(words, begun = false) {
    super(words);
    this.begun = begun;
  }
}

/** The address does not count any more: the page makes another. */
export class Expired extends Error {}

/**
 * Say what a folder holds, and hear what of it is wanted.
 *
 * @type {(address: string, given: Given, signal: AbortSignal) => Promise<Listed>}
 */
export function list(address, { name, parts }, signal) {
  const body = (parts ?? []).map(({ path, file }) => `${file.size} ${encoded(path)}\n`).join("");
  return ask(address, { method: "POST", headers: { "X-File-Name": encoded(name) }, body, signal });
}

/**
 * Say what is about to be sent, and hear how much of it came before.
 *
 * @param {string} address
 * @param {Given} given
 * @param {ArrayBuffer[]} samples of its content
 * @param {string} listing which the server gave for a folder
 * @param {AbortSignal} signal
 * @returns {Promise<Begun>}
 */
export function begin(address, given, samples, listing, signal) {
  const about = given.files.map((file) => `${file.size} ${file.lastModified} ${encoded(file.name)}\n`);
  /** @type {Record<string, string>} */
  const headers = given.parts ? { "X-Listing": listing } : { "X-File-Name": encoded(given.name) };
  const body = new Blob([about.join(""), ...samples]);
  return ask(`${ofPart(address)}&bytes=${given.size}`, { method: "POST", headers, body, signal });
}

/**
 * Send the rest of what was begun.
 *
 * @param {string} address
 * @param {Blob} content all of it
 * @param {number} offset how much of it came before
 * @param {(sent: number) => void} tell
 * @param {AbortSignal} signal
 * @returns {Promise<Received>}
 */
export function put(address, content, offset, tell, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of what it has sent
    let still = 0;
    const watch = () => {
      clearTimeout(still);
      still = setTimeout(() => {
        reject(new CutOff("The connection stood still.", true));
        request.abort();
      }, STILL_MS);
    };
    const stop = () => request.abort();
    request.open("PUT", address);
    request.setRequestHeader("X-Offset", String(offset));
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      watch();
      tell(offset + event.loaded);
    };
    request.upload.onload = () => clearTimeout(still); // the server may take its time
    request.onload = () => {
      const words = request.response?.problem || "The server did not take it.";
      if (request.status === 201) resolve(request.response);
      else if ([403, 404, 408, 409].includes(request.status)) reject(new CutOff(words, true));
      else reject(request.response?.problem ? new Error(words) : new CutOff(words, true));
    };
    request.onerror = () => reject(new CutOff("The connection broke off.", true));
    request.onabort = () => reject(new DOMException("", "AbortError"));
    request.onloadend = () => {
      clearTimeout(still);
      signal.removeEventListener("abort", stop);
    };
    signal.addEventListener("abort", stop);
    watch();
    request.send(content.slice(offset));
  });
}

/**
 * Ask why something was not taken, after the connection broke off: the answer to what is sent then gets lost.
 *
 * @type {(address: string, signal: AbortSignal) => Promise<string>}
 */
export async function why(address, signal) {
  return (await ask(address, { signal }).catch(unlessAborted)).problem;
}

/**
 * Have the server remove what came of what was begun; say whether it did.
 *
 * @type {(address: string) => Promise<boolean>}
 */
export async function forget(address) {
  for (let n = 0; n < TRIES; n++) {
    try {
      await ask(ofPart(address), { method: "DELETE" });
      return true;
    } catch (error) {
      if (!(error instanceof CutOff)) throw error;
    }
    await new Promise((go) => setTimeout(go, AGAIN_MS));
  }
  return false;
}

/**
 * Have the server answer.
 *
 * @param {string} address
 * @param {RequestInit} options
 * @returns {Promise<any>} what it says, if it is not a problem
 */
async function ask(address, options) {
  const response = await fetch(address, options).catch((error) => {
    throw aborted(error) ? error : new CutOff(UNREACHABLE);
  });
  /** @type {Problem | null} */
  const answer = await response.json().catch(() => null);
  if (!answer) throw new CutOff(UNREACHABLE); // something before it answers in its place
  if (response.status === 403 || response.status === 404) throw new Expired(answer.problem);
  if (response.status === 409) throw new CutOff(answer.problem);
  if (!response.ok) throw new Error(answer.problem);
  return answer;
}

/** @type {(error: unknown) => Problem} Nothing is known then, unless nobody wants to know. */
function unlessAborted(error) {
  if (aborted(error)) throw error;
  return { problem: "" };
}

export const aborted = (/** @type {unknown} */ error) =>
  error instanceof Error && error.name === "AbortError";

export const wordsOf = (/** @type {unknown} */ error) =>
  error instanceof Error ? error.message : String(error);

const ofPart = (/** @type {string} */ address) => address.replace("?", "/part?");

/** A name as a header may hold it; half a surrogate pair cannot be encoded. */
const encoded = (/** @type {string} */ name) => encodeURIComponent(name.replace(/\p{Surrogate}/gu, "_"));
