/** How a file's bytes are text: told from its bytes alone, and read without ever replacing what can't be read. */
import { isUtf8 } from "node:buffer";
import { TextDecoder } from "node:util";
import { InputError } from "../../runtime/errors.js";
import { ALPHABETS, PUNCTUATION } from "./alphabet.js";

const SINGLE_BYTE = [
  "windows-1250",
  "windows-1251",
  "windows-1252",
  "windows-1257",
  "iso-8859-2",
  "iso-8859-5",
  "iso-8859-15",
  "koi8-r",
  "ibm866",
] as const;
/** What `--encoding` takes. The first six are found without it. */
export const ENCODINGS = ["utf-8", "utf-16le", "utf-16be", ...SINGLE_BYTE] as const;
export type Encoding = (typeof ENCODINGS)[number];
type SingleByte = (typeof SINGLE_BYTE)[number];

export function isEncoding(text: string): text is Encoding {
  return (ENCODINGS as readonly string[]).includes(text);
}

/** Turns a file's chunks into text. Throws InputError (FILE_UNREADABLE) at the first bytes that are none. */
export class ByteDecoder {
  readonly #name: string;
  readonly #encoding: Encoding;
  readonly #table: readonly (string | null)[] | null;
  readonly #decoder: TextDecoder | null;
  #bytes = 0;

  constructor(name: string, encoding: Encoding) {
    this.#name = name;
    this.#encoding = encoding;
    this.#table = isSingleByte(encoding) ? tableOf(encoding) : null;
    // Takes a byte order mark away.
    this.#decoder = isSingleByte(encoding) ? null : new TextDecoder(encoding, { fatal: true });
  }

  text(chunk: Buffer): string {
    const at = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#table !== null) return singleBytes(chunk, this.#table, (i) => this.#refused(at + i, chunk[i]));
    try {
      return this.#decoder?.decode(chunk, { stream: true }) ?? "";
    } catch (cause) {
      throw this.#refused(at, undefined, cause);
    }
  }

  /** What is left at the end: a character cut short is refused, too. */
  end(): string {
    try {
      return this.#decoder?.decode() ?? "";
    } catch (cause) {
      throw this.#refused(this.#bytes, undefined, cause);
    }
  }

  #refused(at: number, byte?: number, cause?: unknown): InputError {
    const label = this.#encoding === "utf-8" ? "UTF-8" : this.#encoding;
    const which = byte === undefined ? "" : `: byte 0x${byte.toString(16)} is no character there`;
    return new InputError("FILE_UNREADABLE", `${this.#name} is not ${label} text (after byte ${at})${which}`, {
      cause,
      remedy:
        "Save it as UTF-8, or name what it is, for example --encoding windows-1250. Nothing was read: a character " +
        "that is guessed could make two customers one.",
    });
  }
}

function isSingleByte(encoding: Encoding): encoding is SingleByte {
  return (SINGLE_BYTE as readonly string[]).includes(encoding);
}

function singleBytes(bytes: Buffer, table: readonly (string | null)[], refuse: (at: number) => Error): string {
  return bytes.toString("latin1").replace(/[\x80-\xff]/g, (found, at: number) => {
    const character = table[found.charCodeAt(0) - 0x80];
    if (character === null || character === undefined) throw refuse(at);
    return character;
  });
}

/** windows-1252 from 0x80 to 0x9f: Node's decoder of that name reads latin1. A blank is no character. */
const WINDOWS_1252 = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";
const tables = new Map<SingleByte, readonly (string | null)[]>();

/** The upper 128 characters; null where a byte is none. */
function tableOf(encoding: SingleByte): readonly (string | null)[] {
  const known = tables.get(encoding);
  if (known !== undefined) return known;
  const decoder = new TextDecoder(encoding);
  const made = Array.from({ length: 128 }, (_, i) => {
    if (encoding === "windows-1252" && i < 32) {
      const character = WINDOWS_1252[i] as string;
      return character === " " ? null : character;
    }
    const character = decoder.decode(Uint8Array.of(0x80 + i));
    return /[\u0080-\u009f\ufffd]/.test(character) ? null : character;
  });
  tables.set(encoding, made);
  return made;
}

/** What bytes were taken for. */
export interface EncodingFound {
  /** Null: no encoding known here makes sense of the bytes. */
  readonly encoding: Encoding | null;
  readonly why: string;
  /** Others that make as much sense, with other letters. */
  readonly others: readonly Encoding[];
  /** A word that shows it, as `encoding` and `others` read it. */
  readonly example: readonly string[];
}

/** Words with letters beyond ASCII that are looked at: more of a file's say the same. */
const WORDS_MAX = 4000;
const WORD_BYTES_MAX = 64;
const LINE_BYTES_MAX = 1 << 20;
/** Bytes in which all zero bytes are counted. */
const ZEROS_WITHIN = 1 << 20;

/** Looks at all bytes of a file, in memory that does not grow with it. */
export class EncodingScan {
  #bytes = 0;
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0); // of a line that goes on in the next chunk
  #zeros = [0, 0]; // at even and odd places
  #isBroken = false;
  #multibyte = 0;
  readonly #words = new Set<string>();

  add(chunk: Buffer): void {
    if (this.#head.length < 4) this.#head = Buffer.concat([this.#head, chunk.subarray(0, 4)]);
    for (let at = chunk.indexOf(0); at >= 0; at = chunk.indexOf(0, at + 1)) {
      const parity = (this.#bytes + at) & 1;
      this.#zeros[parity] = (this.#zeros[parity] ?? 0) + 1;
      if (this.#bytes > ZEROS_WITHIN) break; // one more is enough to know
    }
    this.#utf8(chunk);
    this.#bytes += chunk.length;
  }

  found(): EncodingFound {
    this.#judge(this.#tail);
    this.#tail = Buffer.alloc(0);
    const [a, b, c] = this.#head;
    const sure = (encoding: Encoding, why: string): EncodingFound => ({ encoding, why, others: [], example: [] });
    if (a === 0xff && b === 0xfe) return sure("utf-16le", "byte order mark");
    if (a === 0xfe && b === 0xff) return sure("utf-16be", "byte order mark");
    const [even = 0, odd = 0] = this.#zeros;
    if (odd > 0 && even * 20 < odd) return sure("utf-16le", "every second byte is 0");
    if (even > 0 && odd * 20 < even) return sure("utf-16be", "every first byte of two is 0");
    if (even + odd > 0) {
      return { encoding: null, why: "it holds zero bytes: it is no text", others: [], example: [] };
    }
    if (!this.#isBroken) {
      if (a === 0xef && b === 0xbb && c === 0xbf) return sure("utf-8", "byte order mark");
      return sure("utf-8", this.#multibyte === 0 ? "nothing beyond ASCII" : "all of it is valid UTF-8");
    }
    // Text of one byte a character hardly ever looks like UTF-8: this one is UTF-8, broken.
    if (this.#multibyte > 2 * this.#words.size) return sure("utf-8", "most of it is valid UTF-8");
    return judgeWords([...this.#words]);
  }

  /** Counts valid characters of several bytes, and collects words with bytes that are none. Whole lines at a time. */
  #utf8(chunk: Buffer): void {
    const bytes = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    let end = bytes.lastIndexOf(10) + 1;
    if (end === 0 && bytes.length > LINE_BYTES_MAX) end = lastAscii(bytes);
    this.#tail = Buffer.from(bytes.subarray(end));
    this.#judge(bytes.subarray(0, end));
  }

  #judge(bytes: Buffer): void {
    if (isUtf8(bytes)) {
      if (this.#multibyte < 1 << 20) this.#multibyte += multibytes(bytes);
      return;
    }
    this.#isBroken = true;
    for (const line of linesIn(bytes)) {
      if (isUtf8(line)) this.#multibyte += multibytes(line);
      else this.#collect(line);
    }
  }

  #collect(line: Buffer): void {
    for (let at = 0; at < line.length && this.#words.size < WORDS_MAX; at++) {
      if ((line[at] as number) < 0x80) continue;
      let start = at;
      while (start > 0 && isLetterByte(line[start - 1] as number)) start--;
      while (at < line.length && isLetterByte(line[at] as number)) at++;
      this.#words.add(line.toString("latin1", start, Math.min(at, start + WORD_BYTES_MAX)));
    }
  }
}

function multibytes(bytes: Buffer): number {
  let found = 0;
  for (const byte of bytes) if (byte >= 0xc0) found++;
  return found;
}

function lastAscii(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] as number) >= 0x80) end--;
  return end;
}

function* linesIn(bytes: Buffer): Generator<Buffer> {
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    yield bytes.subarray(start, end);
    start = end + 1;
  }
  yield bytes.subarray(start);
}

function isLetterByte(byte: number): boolean {
  return byte >= 0x80 || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/** Below this share of words that make sense in one language, nobody knows. */
const SENSE_MIN = 0.6;

/**
 * Which of windows-1250, -1251 and -1252 gives words of letters that one language has. `words`: bytes as latin1.
 * Letters that two of them read alike (é, ó, ü) speak for neither, and no doubt remains where all words are alike.
 */
export function judgeWords(words: readonly string[]): EncodingFound {
  const judged = ALPHABETS.map(({ language, encoding, letters }) => {
    const table = tableOf(encoding);
    const read = words.map((word) => decodedWord(word, table));
    const sensible = read.filter((word) => word !== null && isWordOf(word, letters)).length;
    const whole = read.every((word) => word !== null);
    return { language, encoding, read, share: whole ? sensible / Math.max(1, words.length) : 0 };
  }).sort((x, y) => y.share - x.share);
  const best = judged[0];
  if (best === undefined || best.share < SENSE_MIN) {
    const why = "its letters beyond ASCII make no words in an encoding known here";
    return { encoding: null, why, others: [], example: words.slice(0, 1) };
  }
  const rivals = judged.filter(({ encoding, share, read }) => {
    return encoding !== best.encoding && share >= best.share - 0.02 && read.some((word, i) => word !== best.read[i]);
  });
  const others = [...new Set(rivals.map(({ encoding }) => encoding))];
  const at = words.findIndex((_, i) => rivals.some(({ read }) => read[i] !== best.read[i]));
  const shown = Math.max(at, 0);
  return {
    encoding: best.encoding,
    why: `${best.language} letters`,
    others,
    example: [best, ...others.map((other) => rivals.find(({ encoding }) => encoding === other))].map(
      (one) => one?.read[shown] ?? "",
    ),
  };
}

function decodedWord(word: string, table: readonly (string | null)[]): string | null {
  let text = "";
  for (const character of word) {
    const code = character.charCodeAt(0);
    const read = code < 0x80 ? character : table[code - 0x80];
    if (read === null || read === undefined) return null;
    text += read;
  }
  return text;
}

/** Only letters of the language; Cyrillic and Latin ones are never in one word. */
function isWordOf(word: string, letters: string): boolean {
  const cyrillic = /\p{Script=Cyrillic}/u.test(word);
  if (cyrillic && /[A-Za-z]/.test(word)) return false;
  if (/\p{Ll}\p{Lu}\p{Ll}|\p{Ll}{2}\p{Lu}/u.test(word)) return false; // šPAN: a capital in mid-word
  for (const character of word.toLowerCase()) {
    if (character < "\x80" || letters.includes(character) || PUNCTUATION.includes(character)) continue;
    return false;
  }
  return true;
}
