/**
 * The kernel's other side for encoding: the fragments and templates that core/encode.ts puts ledger records together
 * from, and the records that it wrote. Addresses come from the kernel's exports.
 */
import type { Wasm } from "./kernel.js";

/** Of fragments by number: in every record, of a cause, of a channel, of a model's segment that comes next. */
export type FragmentTable = "FIXED" | "CAUSES" | "CHANNELS" | "NEXTS";
const SEGMENTS_MAX = 256;

const utf8 = new TextEncoder();

export class Encoding {
  readonly #wasm: Wasm;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** Fragments by their text: one that several templates need lies there once. */
  readonly #addresses = new Map<string, number>();
  readonly #encoded: number;
  readonly #index: number;
  readonly #indexWords: number;
  #at = 0;

  constructor(wasm: Wasm, buffer: ArrayBuffer) {
    this.#wasm = wasm;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#encoded = this.#constant("ENCODED_AT");
    this.#index = this.#constant("INDEX_AT") / 4;
    this.#indexWords = this.#constant("INDEX_BYTES") / 4;
  }

  #call(name: string, ...args: number[]): number {
    return (this.#wasm[name] as (...args: number[]) => number)(...args);
  }

  #constant(name: string): number {
    return Number((this.#wasm[name] as WebAssembly.Global).value);
  }

  /** Forgets all fragments and templates. */
  reset(): void {
    this.#call("resetEncoder");
    this.#addresses.clear();
    this.#at = this.#constant("FRAGMENTS_AT");
  }

  /** Whether the fragments of any one record fit behind those that are there. */
  get hasRoom(): boolean {
    const end = this.#constant("FRAGMENTS_AT") + this.#constant("FRAGMENTS_BYTES");
    return this.#at + this.#constant("FRAGMENTS_EACH") <= end;
  }

  /** Address of a fragment, which is written where it is new. Throws RangeError behind the last that fits. */
  #place(text: string): number {
    const known = this.#addresses.get(text);
    if (known !== undefined) return known;
    const address = this.#at;
    const end = this.#constant("FRAGMENTS_AT") + this.#constant("FRAGMENTS_BYTES");
    const bytes = utf8.encode(text);
    if (address + 4 + bytes.length > end)
      throw new RangeError("the fragments of a record are more than were allowed for");
    this.#words[address / 4] = bytes.length;
    this.#bytes.set(bytes, address + 4);
    this.#at = (address + 4 + bytes.length + 3) & ~3;
    this.#addresses.set(text, address);
    return address;
  }

  setFragment(table: FragmentTable, number: number, text: string): void {
    this.#words[this.#constant(`${table}_AT`) / 4 + number] = this.#place(text);
  }

  setNext(model: number, segment: number, text: string): void {
    this.setFragment("NEXTS", model * SEGMENTS_MAX + segment, text);
  }

  /** The template of the record at `at` of the output, with a number above 0. False where there is no room for it. */
  setTemplate(at: number, number: number, texts: readonly string[]): boolean {
    const template = this.#call("claimTemplate", at);
    if (template === 0) return false;
    const words = (template + this.#constant("TEMPLATE_NUMBER_AT")) / 4;
    for (const [n, text] of texts.entries()) this.#words[words + 1 + n] = this.#place(text);
    this.#words[words] = number;
    return true;
  }

  /** Encodes migrations from `at` to at most `end` of the output, as far as their fragments are there; how many. */
  encode(at: number, end: number): number {
    return this.#call("encode", at, end);
  }

  /** The first `length` bytes of what was encoded: good until the next call of `encode`. */
  written(length: number): Uint8Array {
    return this.#bytes.subarray(this.#encoded, this.#encoded + length);
  }

  /** Of the n-th record that was encoded: the number of its template, and where in `written` its head and body end. */
  templateOf(n: number): number {
    return this.#words[this.#index + n * this.#indexWords] as number;
  }

  headEndOf(n: number): number {
    return this.#words[this.#index + n * this.#indexWords + 1] as number;
  }

  endOf(n: number): number {
    return this.#words[this.#index + n * this.#indexWords + 2] as number;
  }
}
