/** What a single cell could be, before the form of its column is known. */
import { readAmount } from "./amount.js";
import { DATE_FORMS, type DateForm, readDate } from "./date.js";

export const WIDE_FORMS = [
  { decimal: ".", group: "," },
  { decimal: ",", group: "." },
] as const;

/** It reads as an amount under some form. */
export function isAmount(text: string): boolean {
  return WIDE_FORMS.some((form) => readAmount(text, form) !== null);
}

/** It reads as a date or time under some form. */
export function isDate(text: string): boolean {
  return DATE_FORMS.some((name) => readDate(text, { name } satisfies DateForm) !== null);
}

export function isMail(text: string): boolean {
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text);
}

/** A number, a date or an address: no column is called so. */
export function isValue(cell: string): boolean {
  const text = cell.trim();
  return isMail(text) || (/\d/.test(text) && (isAmount(text) || isDate(text)));
}
