// Arrays from the server, by the name of their content: what was fetched once is not fetched again.

const MOST_BYTES = 400e6;
const kept = new Map(); // name -> {promise, bytes}

/** The server refused an address, because it has expired. */
export class Expired extends Error {}

/** Fetch an array buffer by name and address. */
export function load({ name, url }, signal) {
  const known = kept.get(name);
  if (known) {
    kept.delete(name);
    kept.set(name, known); // now the last to be forgotten
    return known.promise;
  }
  const entry = { bytes: 0, promise: ask(url, { signal }).then((response) => response.arrayBuffer()) };
  kept.set(name, entry);
  entry.promise.then(
    (buffer) => {
      entry.bytes = buffer.byteLength;
      forget();
    },
    () => kept.get(name) === entry && kept.delete(name),
  );
  return entry.promise;
}

/** Fetch, and tell an expired address from other failures. */
export async function ask(url, options) {
  const response = await fetch(url, options);
  if (response.status === 403) throw new Expired("The address has expired.");
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return response;
}

function forget() {
  let bytes = [...kept.values()].reduce((sum, entry) => sum + entry.bytes, 0);
  for (const [name, entry] of kept) {
    if (bytes <= MOST_BYTES) return;
    kept.delete(name);
    bytes -= entry.bytes;
  }
}
