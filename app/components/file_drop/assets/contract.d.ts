// Written by `python -m app.web.contract_js`: change the module of Python instead.

/** What a field for one file, or one folder, is mounted with. */
export interface DropData {
  /** where it goes: signed path and query */
  address: string;
  /** of files that are read, with the dot */
  endings: string[];
  /** whether folders are taken too */
  folders: boolean;
  /** what is read, in words */
  hint: string;
  /** of a folder that is taken */
  max_files: number;
  /** size of the largest file or folder that is taken, bytes */
  max_bytes: number;
  /** when the browser asked for this address: it is told only of what changes */
  renewed: number | null;
}

/** GET, or a PUT that was refused: why a file is not taken. */
export interface Problem {
  /** in words; empty if it is */
  problem: string;
}

/** POST of what a folder holds: which of it is wanted. */
export interface Listed extends Problem {
  /** to be said with the files, which are sent one after the other */
  listing: string;
  /** places of files in what was listed that are not to be sent */
  unwanted: number[];
}

/** PUT: what has come. */
export interface Received {
  /** harmless form of the file's, or the folder's */
  name: string;
  /** how many */
  bytes: number;
  /** of the content, hexadecimal */
  sha256: string;
}

/** POST of what is about to be sent: how much of it came before. */
export interface Begun extends Problem {
  /** bytes; what is sent begins with the next */
  offset: number;
  /** if all of it came before */
  received: Received | null;
}

/** What each event comes with. */
export interface DropEvents {
  /** sha256 of what has come */
  done: string;
  /** the address has expired; when that was noticed, ms since 1970 */
  renew: number;
}
