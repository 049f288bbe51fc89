/** A dead letter as a line of JSON for people: its headers, and its bytes as far as they can be read. */
import { decodeHead } from "../../runtime/head.js";
import type { LedgerRecord } from "../../runtime/record.js";
import { content } from "../content.js";

export function deadLetterLine({ head, body }: Pick<LedgerRecord, "head" | "body">): string {
  const headers = decodeHead(head);
  const customer = headers["Tidemark-Customer"];
  return JSON.stringify({
    reason: headers["Tidemark-Reason"],
    customer: customer === undefined ? null : decoded(customer),
    subject: headers["Tidemark-Subject"],
    position: Number(headers["Tidemark-Position"]),
    index: Number(headers["Tidemark-Index"]),
    length: Number(headers["Tidemark-Length"]),
    ...content(body),
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded UTF-8: shown as it is
  }
}
