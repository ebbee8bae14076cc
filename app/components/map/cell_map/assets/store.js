// Arrays from the server, by the name of their content: what was fetched once is not fetched again.

/**
 * @import { Address } from "./contract"
 */

/**
 * @typedef {object} Entry
 * @property {number} bytes how many, once they have come
 * @property {number} waiting who has not given it up
 * @property {boolean} done whether it has come
 * @property {AbortController} stop gives it up
 * @property {Promise<ArrayBuffer>} promise
 */

const MOST_BYTES = 400e6;
/** @type {Map<string, Entry>} */
const kept = new Map(); // by name: what is kept or on its way

/** The server refused an address, because it has expired. */
export class Expired extends Error {}

/**
 * Fetch an array buffer by name and address; given up once all who wait for it have given it up.
 *
 * @param {Address} address
 * @param {AbortSignal} [signal]
 */
export function load({ name, url }, signal) {
  const entry = kept.get(name) ?? begin(name, url);
  kept.delete(name);
  kept.set(name, entry); // now the last to be forgotten
  entry.waiting++;
  signal?.addEventListener("abort", () => {
    entry.waiting--;
    if (entry.waiting || entry.done) return;
    kept.delete(name); // at once: who asks next must not be given what is given up
    entry.stop.abort();
  });
  return entry.promise;
}

/** @type {(name: string, url: string) => Entry} */
function begin(name, url) {
  const stop = new AbortController();
  const promise = ask(url, { signal: stop.signal }).then((response) => response.arrayBuffer());
  const entry = { bytes: 0, waiting: 0, done: false, stop, promise };
  promise.then(
    (buffer) => {
      [entry.bytes, entry.done] = [buffer.byteLength, true];
      forget();
    },
    () => {
      if (kept.get(name) === entry) kept.delete(name);
    },
  );
  return entry;
}

/**
 * Fetch, and tell an expired address from other failures.
 *
 * @param {string} url
 * @param {RequestInit} options
 */
export async function ask(url, options) {
  const response = await fetch(url, options);
  if (response.status === 403) throw new Expired("The address has expired.");
  if (!response.ok) {
    const said = response.headers.get("content-type")?.startsWith("text/plain");
    throw new Error(said ? await response.text() : `The server answered ${response.status}.`);
  }
  return response;
}

/**
 * What an error says.
 *
 * @param {unknown} error
 */
export function wordsOf(error) {
  return error instanceof Error ? error.message : String(error);
}

function forget() {
  let bytes = [...kept.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  for (const [name, entry] of kept) {
    if (bytes <= MOST_BYTES) return;
    kept.delete(name);
    bytes -= entry.bytes;
  }
}
