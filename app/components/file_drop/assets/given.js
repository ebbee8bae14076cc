// What somebody drops or chooses: a file, or a folder as a list of its files.

/**
 * @typedef {{ path: string, file: File }} Part A file of a folder, and its name relative to that.
 * @typedef {{ name: string, parts: Part[] | null, files: File[], size: number }} Given
 *   Without parts, it is the one file itself; files that were given together are a folder without a name.
 */

const AT_ONCE = 32; // files or folders that the browser is asked for together
const SMALL = 1 << 18; // bytes
const MOST_HELD = 1 << 27; // bytes of small files
const SAMPLES = 8;
const SAMPLE = 1 << 14; // bytes

/** @type {(file: File) => Given} */
export const aFile = (file) => ({ name: file.name, parts: null, files: [file], size: file.size });

/** @type {(name: string, parts: Part[]) => Given} In the order of the names, so that it can go on another time. */
export function aFolder(name, found) {
  const parts = [...found].sort((one, other) => (one.path < other.path ? -1 : 1));
  const files = parts.map((part) => part.file);
  return { name, parts, files, size: files.reduce((sum, file) => sum + file.size, 0) };
}

/**
 * What a field for files, or one for a folder, holds: files of a folder know where in it they lie.
 *
 * @type {(files: File[]) => Given}
 */
export function chosen(files) {
  const [first] = files;
  if (files.length === 1 && !first.webkitRelativePath) return aFile(first);
  const top = first.webkitRelativePath.split("/")[0];
  const below = top ? top.length + 1 : 0;
  return aFolder(
    top,
    files.map((file) => ({ path: (file.webkitRelativePath || file.name).slice(below), file })),
  );
}

/**
 * What was dropped; several things at once are taken as a folder that holds them.
 *
 * @param {FileSystemEntry[]} entries
 * @param {number} atMost files
 * @param {(found: number) => void} tell
 * @param {AbortSignal} signal
 */
export async function dropped(entries, atMost, tell, signal) {
  const [first] = entries;
  if (entries.length === 1 && isFile(first)) return aFile(await fileOf(first));
  const alone = entries.length === 1 && isFolder(first);
  const name = alone ? first.name : "";
  /** @type {Part[]} */
  const parts = [];
  /** @type {[string, FileSystemEntry][]} */
  let waiting = alone ? await inside("", first) : entries.map((entry) => [entry.name, entry]);
  while (waiting.length) {
    const some = waiting.splice(-AT_ONCE);
    const found = await Promise.all(
      some.map(async ([path, entry]) => {
        if (isFolder(entry)) return inside(`${path}/`, entry);
        if (isFile(entry)) parts.push({ path, file: await fileOf(entry) });
        return [];
      }),
    );
    signal.throwIfAborted();
    waiting = waiting.concat(...found);
    tell(parts.length);
    if (parts.length > atMost) break; // the server says what to do about it
  }
  return aFolder(name, parts);
}

/**
 * @param {FileSystemEntry} entry
 * @returns {entry is FileSystemFileEntry}
 */
function isFile(entry) {
  return entry.isFile;
}

/**
 * @param {FileSystemEntry} entry
 * @returns {entry is FileSystemDirectoryEntry}
 */
function isFolder(entry) {
  return entry.isDirectory;
}

/**
 * What is sent: large files as they lie on the disk, small ones read before, many at a time, and joined. On the
 * way the browser takes some ms for each piece.
 *
 * @param {Given} given
 * @param {AbortSignal} signal
 * @returns {Promise<Blob>}
 */
export async function contentOf({ parts, files }, signal) {
  if (!parts) return files[0];
  const { pieces, small } = laidOut(files);
  while (small.length) {
    const read = async (/** @type {Small} */ { file, whole, at }) => {
      const content = await file.arrayBuffer().catch(() => new ArrayBuffer(0));
      if (content.byteLength !== file.size) throw unreadable(file);
      whole.set(new Uint8Array(content), at);
    };
    await Promise.all(small.splice(-AT_ONCE).map(read));
    signal.throwIfAborted();
  }
  return new Blob(pieces);
}

/**
 * Some of what is sent, from its start to its end: what has the same is the same, for all that can be told soon.
 *
 * @type {(content: Blob) => Promise<ArrayBuffer[]>}
 */
export function samplesOf(content) {
  const step = Math.max(0, content.size - SAMPLE) / (SAMPLES - 1);
  const starts = Array.from({ length: SAMPLES }, (_, i) => Math.floor(i * step));
  return Promise.all(starts.map((start) => content.slice(start, start + SAMPLE).arrayBuffer())).catch(() => {
    throw new Error("It cannot be read any more, as it was moved or changed meanwhile. Give it again.");
  });
}

/**
 * The pieces of what is sent, those of small files that follow one another as one, and where each of these goes.
 *
 * @typedef {{ file: File, whole: Uint8Array, at: number }} Small
 * @param {File[]} files
 */
function laidOut(files) {
  /** @type {BlobPart[]} */
  const pieces = [];
  /** @type {Small[]} */
  const small = [];
  let held = 0;
  for (let start = 0; start < files.length; ) {
    let [end, size] = [start, 0];
    for (; files[end]?.size <= SMALL && held + size + files[end].size <= MOST_HELD; end++)
      size += files[end].size;
    if (end === start) pieces.push(files[start++]);
    else {
      const whole = new Uint8Array(size);
      let at = 0;
      for (; start < end; start++) {
        small.push({ file: files[start], whole, at });
        at += files[start].size;
      }
      pieces.push(whole);
      held += size;
    }
  }
  return { pieces, small };
}

/** @type {(entry: FileSystemFileEntry) => Promise<File>} */
const fileOf = (entry) =>
  new Promise((resolve, reject) => entry.file(resolve, () => reject(unreadable(entry))));

/** @type {(entry: { name: string }) => Error} */
const unreadable = (entry) => new Error(`${entry.name} cannot be read on this computer.`);

/**
 * The entries of a folder, which come some at a time.
 *
 * @param {string} prefix
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<[string, FileSystemEntry][]>}
 */
async function inside(prefix, folder) {
  const reader = folder.createReader();
  /** @type {[string, FileSystemEntry][]} */
  const all = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) =>
      reader.readEntries(resolve, () => reject(unreadable(folder))),
    );
    if (!some.length) return all;
    for (const entry of some) all.push([prefix + entry.name, entry]);
  }
}
