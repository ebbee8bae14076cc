// Written by `python -m app.web.contract_js`: change the module of Python instead.

/** What a field for one file is mounted with. */
export interface DropData {
  /** where the file goes: signed path and query */
  address: string;
  /** of files that are read, with the dot */
  endings: string[];
  /** size of the largest file that is taken, bytes */
  max_bytes: number;
  /** when the browser asked for this address: it is told only of what changes */
  renewed: number | null;
}

/** GET, or a PUT that was refused: why a file is not taken. */
export interface Problem {
  /** in words; empty if it is */
  problem: string;
}

/** PUT: what has come. */
export interface Received {
  /** harmless form of the file's */
  name: string;
  /** how many */
  bytes: number;
  /** of the content, hexadecimal */
  sha256: string;
}

/** What each event comes with. */
export interface DropEvents {
  /** sha256 of the file that has come */
  done: string;
  /** the address has expired; when that was noticed, ms since 1970 */
  renew: number;
}
