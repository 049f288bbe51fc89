/** Ledger records as tests compare them. */
import type { LedgerRecord } from "../../runtime/record.js";

const utf8 = new TextDecoder();

/** What they say, wherever their bytes lie. */
export function readable(ledger: readonly LedgerRecord[]) {
  return ledger.map(({ number, position, subject, head, body }) => {
    return { number, position, subject, head: utf8.decode(head), body: utf8.decode(body) };
  });
}
