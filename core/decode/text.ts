// Texts of an item: in the message where its bytes can be used as they are, else unescaped.
import { unescape } from "./escape";
import { ESCAPED, Found, TEXT } from "./found";

/** The text read last. */
export let text: usize = 0;
export let textLength: u32 = 0;

/** Longest text that is only compared with others or read as a number or an instant. */
export const WORD_MAX: u32 = 256;
const WORD: usize = memory.data(264, 8);

/**
 * Reads a text into `text` and `textLength` (above `max` where it is longer), unescaped to `target` if need be
 * (`max` + 4 bytes); false where the value is no text.
 */
export function readText(found: Found, target: usize, max: u32): bool {
  if (found.type == TEXT) {
    text = found.at;
    textLength = found.length;
    return true;
  }
  if (found.type != ESCAPED) return false;
  text = target;
  textLength = unescape(found.at, found.at + found.length, target, max);
  return true;
}

/** Reads a text that is not kept; of one with escapes the first bytes beyond WORD_MAX are enough. */
export function readWord(found: Found): bool {
  return readText(found, WORD, WORD_MAX);
}
