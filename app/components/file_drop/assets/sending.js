// Sending until all has come: where the way was cut, it goes on after a while with what the server lacks.

import { aFolder, contentOf, samplesOf } from "./given.js";
import { begin, CutOff, Expired, list, put, why } from "./server.js";

/**
 * @import { DropEvents, Received } from "./contract"
 * @import { Given, Part } from "./given.js"
 *
 * @typedef {Object} Field Where it is shown.
 * @property {string} address where it goes
 * @property {string} begun the address at which something of it may lie on the server
 * @property {(name: "renew", value: DropEvents["renew"]) => void} trigger
 * @property {() => Promise<void>} remounted
 * @property {(sent: number, given: Given, ends: Float64Array) => void} progress
 * @property {(given: Given, share: number) => void} goesOn
 * @property {(why: string, seconds: number) => void} waits
 */

const LONGEST_S = 30; // between two tries
const CUTS = 5; // in a row, after each of which the server could be reached and nothing more had come
const RENEWALS = 3; // in a row
const RENEWED_MS = 30_000; // within which the page has run again

/** @type {(given: Given, field: Field, signal: AbortSignal) => Promise<Received>} */
export async function sendAll(given, field, signal) {
  let [tries, cuts, renewals, before, came] = [0, 0, 0, 0, 0];
  for (;;) {
    const { address } = field;
    try {
      return await sendOnce(given, address, field, signal, (offset) => {
        came = offset;
      });
    } catch (error) {
      if (came > before) [tries, cuts, renewals, before] = [0, 0, 0, came];
      if (error instanceof Expired) {
        if (++renewals > RENEWALS) throw new Error("The page must be loaded again.");
        await renew(address, field, signal);
      } else if (error instanceof CutOff) {
        if (error.begun && ++cuts >= CUTS) throw new Error(`${error.message} Try again.`);
        const seconds = Math.min(LONGEST_S, 2 ** tries++);
        field.waits(error.message, seconds);
        const online = new Promise((resolve) => addEventListener("online", resolve, { once: true, signal }));
        await Promise.race([online, field.remounted(), after(1000 * seconds, signal)]);
      } else throw error;
    }
  }
}

/**
 * Have the page run again, which signs the address anew, unless it did so meanwhile.
 *
 * @type {(expired: string, field: Field, signal: AbortSignal) => Promise<void>}
 */
export async function renew(expired, field, signal) {
  if (field.address !== expired) return;
  field.trigger("renew", Date.now());
  await Promise.race([field.remounted(), after(RENEWED_MS, signal)]);
}

/**
 * Send what the server lacks, unless the way is cut.
 *
 * @param {Given} given
 * @param {string} address
 * @param {Field} field
 * @param {AbortSignal} signal
 * @param {(offset: number) => void} tell how much of it came before
 */
async function sendOnce(given, address, field, signal, tell) {
  const listed = given.parts && (await list(address, given, signal));
  const wanted = listed ? aFolder(given.name, without(given.parts ?? [], listed.unwanted)) : given;
  const content = await contentOf(wanted, signal);
  const samples = await samplesOf(content);
  const { offset, received } = await begin(address, wanted, samples, listed?.listing ?? "", signal);
  field.begun = address;
  tell(offset);
  if (received) return received;
  const ends = endsOf(wanted.files);
  field.progress(offset, wanted, ends);
  if (offset) field.goesOn(given, offset / wanted.size);
  try {
    return await put(address, content, offset, (sent) => field.progress(sent, wanted, ends), signal);
  } catch (error) {
    const problem = error instanceof CutOff ? await why(address, signal) : "";
    throw problem ? new Error(problem) : error;
  }
}

/** @type {(parts: Part[], places: number[]) => Part[]} All parts but those at some places. */
function without(parts, places) {
  const left = new Set(places);
  return parts.filter((_, i) => !left.has(i));
}

/** @type {(files: File[]) => Float64Array} Where each file ends in what is sent, bytes. */
function endsOf(files) {
  let end = 0;
  return Float64Array.from(files, (file) => {
    end += file.size;
    return end;
  });
}

/** @type {(ms: number, signal: AbortSignal) => Promise<void>} */
const after = (ms, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
