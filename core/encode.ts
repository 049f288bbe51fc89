// Ledger records as the broker gets them: header lines and the event's JSON, from the records at OUTPUT, in one pass.
// What does not change from record to record was made by the runtime: fragments, and templates that say which of them
// an event between these segments and bands is put together from. What is not there yet, the runtime is asked for.
//
//   ENCODER   fixed      FIXED_MAX × 4          u32 addresses of fragments
//             causes     CAUSES_MAX × 4
//             channels   256 × 4
//             nexts      MODELS_MAX × 256 × 4   by model and segment
//             index      RECORDS_MAX × 16       of each record encoded: template's number, end of head, end u32
//             templates  TEMPLATES_MAX × 64     hashed: see `Template`
//             fragments  FRAGMENTS_BYTES        u32 length and UTF-8 each, at multiples of 4
//             encoded    ENCODED_BYTES          records, head and body one behind the other
import { CHANNELS_MAX, ENCODER, ENCODER_BYTES, MODELS_MAX, OUTPUT } from "./layout";
import { BEFORE_AT, Figures, FIGURES_BYTES, MIGRATION, MIGRATION_TEXT_AT, MigrationRecord } from "./output";

/** Fragments that are in every record, numbered as in `FIXED` of runtime/encoder.ts. */
const POSITION: u32 = 0;
const CLOCK: u32 = 1;
const PREVIOUS: u32 = 2;
const HEAD_END: u32 = 3;
const SUBJECT: u32 = 4;
const TIME: u32 = 5;
const ORDER: u32 = 6;
const LAST_ORDER: u32 = 7;
const ORDERS: u32 = 8;
const SPEND: u32 = 9;
const ORDERS_EVER: u32 = 10;
const SPEND_EVER: u32 = 11;
const NEXT: u32 = 12;
const NEXT_NONE: u32 = 13;
const END: u32 = 14;
const FIXED_MAX: u32 = 16;
const CAUSES_MAX: u32 = 16;
const SEGMENTS_MAX: u32 = 256;
const RECORDS_MAX: u32 = 256;
const TEMPLATES_MAX: u32 = 4096;
/** More would make long searches: the runtime begins anew. */
const TEMPLATES_KEPT: u32 = 3072;
/** A head, and everything of an event but fragments: numbers, instants, four ids of 256 bytes with each byte escaped. */
const VALUES_BYTES_MAX: usize = 10_240;

export const FIXED_AT: usize = ENCODER;
export const CAUSES_AT: usize = FIXED_AT + <usize>FIXED_MAX * 4;
export const CHANNELS_AT: usize = CAUSES_AT + <usize>CAUSES_MAX * 4;
export const NEXTS_AT: usize = CHANNELS_AT + <usize>CHANNELS_MAX * 4;
export const INDEX_AT: usize = NEXTS_AT + <usize>(MODELS_MAX * SEGMENTS_MAX) * 4;
export const INDEX_BYTES: u32 = 16;
const TEMPLATES_AT: usize = INDEX_AT + <usize>(RECORDS_MAX * INDEX_BYTES);
export const FRAGMENTS_AT: usize = TEMPLATES_AT + <usize>TEMPLATES_MAX * 64;
export const FRAGMENTS_BYTES: usize = 0x60000;
/** Of all fragments of one record: some twenty names of 64 characters, and what stands between them. */
export const FRAGMENTS_EACH: usize = 0x2800;
export const ENCODED_AT: usize = FRAGMENTS_AT + FRAGMENTS_BYTES;
const ENCODED_END: usize = ENCODER + ENCODER_BYTES - VALUES_BYTES_MAX - FRAGMENTS_EACH;

/** What an event of a model from one segment and its bands to others is put together from. */
@unmanaged class Template {
  key: u64; // 0: free
  number: u32;
  /** Addresses of fragments, in the order of `TEMPLATE` of runtime/encoder.ts. */
  id: u32;
  revision: u32;
  loud: u32;
  silent: u32;
  fromBands: u32;
  toBands: u32;
  boundaries: u32;
  before: u32;
  after: u32;
}
if (offsetof<Template>() != 48) ERROR("a Template must fit its place");
/** Where the runtime writes a template's fragments, behind its number. */
export const TEMPLATE_NUMBER_AT: usize = 8;

let templates: u32 = 0;

/** Forgets all templates: the runtime makes fragments and templates anew. */
export function resetEncoder(): void {
  memory.fill(ENCODER, 0, FRAGMENTS_AT - ENCODER);
  templates = 0;
}

/** Band bytes of at most four dimensions, a band every four bits. */
@inline function packed(bands: u64): u64 {
  return (bands & 15) | ((bands >> 4) & 0xf0) | ((bands >> 8) & 0xf00) | ((bands >> 12) & 0xf000);
}

/** The place of the record's template, or the free one where it belongs. */
function templateOf(record: MigrationRecord): Template {
  const segments = <u64>record.model | (<u64>record.fromSegment << 8) | (<u64>record.toSegment << 16) | (1 << 24);
  const key = segments | (packed(record.fromBands) << 32) | (packed(record.toBands) << 48);
  let slot = <u32>((key * 0x9e37_79b9_7f4a_7c15) >> 52);
  while (true) {
    const template = changetype<Template>(TEMPLATES_AT + (<usize>slot << 6));
    if (template.key == key) return template;
    if (template.key == 0) {
      wanted = key;
      return template;
    }
    slot = (slot + 1) & (TEMPLATES_MAX - 1);
  }
}
/** Key of the last template that was not found. */
let wanted: u64 = 0;

/**
 * The address of the template of the record at OUTPUT + `at`, for the runtime to fill where its number is 0; 0 where
 * there is no room for it.
 */
export function claimTemplate(at: u32): usize {
  const template = templateOf(changetype<MigrationRecord>(OUTPUT + at));
  if (template.key == 0) {
    if (templates == TEMPLATES_KEPT) return 0;
    templates++;
    template.key = wanted;
  }
  return changetype<usize>(template);
}

/**
 * Encodes migrations from OUTPUT + `at` on and before OUTPUT + `end`, up to a dead letter, a full region or one whose
 * fragments are not there. Returns how many.
 */
export function encode(at: u32, end: u32): u32 {
  let count: u32 = 0;
  let to = ENCODED_AT;
  for (let from = OUTPUT + at; from < OUTPUT + end && to < ENCODED_END && count < RECORDS_MAX; count++) {
    const record = changetype<MigrationRecord>(from);
    if (record.type != MIGRATION) break;
    const template = templateOf(record);
    if (template.number == 0 || !hasFragments(record)) break;
    const entry = INDEX_AT + <usize>(count * INDEX_BYTES);
    store<u32>(entry, template.number);
    to = writeHead(to, record);
    store<u32>(entry, <u32>(to - ENCODED_AT), 4);
    to = writeBody(to, record, template);
    store<u32>(entry, <u32>(to - ENCODED_AT), 8);
    from += record.size;
  }
  return count;
}

@inline function addressIn(table: usize, number: u32): u32 {
  return load<u32>(table + (<usize>number << 2));
}

@inline function nextOf(record: MigrationRecord): u32 {
  return addressIn(NEXTS_AT, <u32>record.model * SEGMENTS_MAX + record.nextSegment);
}

/** Are those of cause, channel and next segment there? */
@inline function hasFragments(record: MigrationRecord): bool {
  if (addressIn(CAUSES_AT, record.cause) == 0 || addressIn(CHANNELS_AT, record.channel) == 0) return false;
  return record.nextAt == 0 || nextOf(record) != 0;
}

function writeHead(to: usize, record: MigrationRecord): usize {
  to = fixed(to, POSITION);
  to = integer(to, record.sequence);
  to = fixed(to, CLOCK);
  to = integer(to, record.clock);
  to = fixed(to, PREVIOUS);
  to = integer(to, record.previous);
  return fixed(to, HEAD_END);
}

function writeBody(to: usize, record: MigrationRecord, template: Template): usize {
  let text = changetype<usize>(record) + MIGRATION_TEXT_AT;
  to = fragment(to, template.id);
  const customer = to;
  to = escaped(to, text, record.customerLength);
  const customerLength = to - customer;
  store<u8>(to++, 0x2f); // a slash
  to = integer(to, <f64>record.revision);
  to = fixed(to, SUBJECT);
  copy(to, customer, customerLength);
  to += customerLength;
  to = fixed(to, TIME);
  to = instant(to, record.time);
  to = fragment(to, template.revision);
  to = integer(to, <f64>record.revision);
  to = fragment(to, record.silent != 0 ? template.silent : template.loud);
  to = instant(to, record.fromSince);
  to = fragment(to, template.fromBands);
  to = instant(to, record.toSince);
  to = fragment(to, template.toBands);
  to = fragment(to, addressIn(CAUSES_AT, record.cause));
  text += record.customerLength;
  to = quoted(to, text, record.eventLength);
  to = fixed(to, ORDER);
  to = quoted(to, text + record.eventLength, record.orderLength);
  to = fragment(to, addressIn(CHANNELS_AT, record.channel));
  to = instant(to, record.causeTime);
  to = fragment(to, template.boundaries);
  to = figures(to, record, 0);
  to = fragment(to, template.before);
  to = figures(to, record, 1);
  to = fragment(to, template.after);
  if (record.nextAt == 0) to = fixed(to, NEXT_NONE);
  else {
    to = fixed(to, NEXT);
    to = instant(to, record.nextAt);
    to = fragment(to, nextOf(record));
  }
  to = instant(to, record.due);
  return fixed(to, END);
}

function figures(to: usize, record: MigrationRecord, side: usize): usize {
  const figures = changetype<Figures>(changetype<usize>(record) + BEFORE_AT + side * FIGURES_BYTES);
  to = instant(to, figures.firstOrder);
  to = fixed(to, LAST_ORDER);
  to = instant(to, figures.lastOrder);
  to = fixed(to, ORDERS);
  to = integer(to, figures.orders);
  to = fixed(to, SPEND);
  to = integer(to, figures.spend);
  to = fixed(to, ORDERS_EVER);
  to = integer(to, figures.ordersEver);
  to = fixed(to, SPEND_EVER);
  return integer(to, figures.spendEver);
}

/** Copies by 16 bytes: writes up to 15 more, which what comes next overwrites. */
@inline function copy(to: usize, from: usize, length: usize): void {
  for (let i: usize = 0; i < length; i += 16) v128.store(to + i, v128.load(from + i));
}

@inline function fragment(to: usize, address: u32): usize {
  const length = <usize>load<u32>(address);
  copy(to, address + 4, length);
  return to + length;
}

@inline function fixed(to: usize, number: u32): usize {
  return fragment(to, addressIn(FIXED_AT, number));
}

const NULL: u32 = 0x6c6c_756e;
const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;

/** A JSON string, or null where it has no bytes. */
function quoted(to: usize, from: usize, length: u32): usize {
  if (length == 0) {
    store<u32>(to, NULL);
    return to + 4;
  }
  store<u8>(to, QUOTE);
  to = escaped(to + 1, from, length);
  store<u8>(to, QUOTE);
  return to + 1;
}

/** UTF-8 as it stands inside the quotes of a JSON string: as JSON.stringify writes it. */
function escaped(to: usize, from: usize, length: u32): usize {
  const end = from + length;
  while (from < end) {
    const part = v128.load(from);
    const special = v128.or(
      i8x16.lt_u(part, i8x16.splat(32)),
      v128.or(i8x16.eq(part, i8x16.splat(<i8>QUOTE)), i8x16.eq(part, i8x16.splat(<i8>BACKSLASH))),
    );
    // How many come before the first that has to be escaped.
    const plain = min<usize>(ctz(i8x16.bitmask(special) | 0x10000), end - from);
    v128.store(to, part);
    to += plain;
    from += plain;
    if (plain < 16 && from < end) to = escape(to, load<u8>(from++));
  }
  return to;
}

function escape(to: usize, value: u8): usize {
  store<u8>(to, BACKSLASH);
  const letter: u8 =
    value == QUOTE || value == BACKSLASH
      ? value
      : value == 8
        ? 0x62 // b
        : value == 9
          ? 0x74 // t
          : value == 10
            ? 0x6e // n
            : value == 12
              ? 0x66 // f
              : value == 13
                ? 0x72 // r
                : 0;
  if (letter != 0) {
    store<u8>(to, letter, 1);
    return to + 2;
  }
  store<u32>(to, 0x3030_3075, 1); // u000, of which the last is written over
  store<u8>(to, 0x30 + (value >> 4), 4);
  const low = value & 15;
  store<u8>(to, low < 10 ? 0x30 + low : 0x57 + low, 5);
  return to + 6;
}

/** Two digits of a number below 100, as they lie in memory. */
@inline function pair(value: u32): u16 {
  const tens = value / 10;
  return <u16>(0x3030 + tens + ((value - tens * 10) << 8));
}

/** Digits of an integer within ±2^53. */
function integer(to: usize, value: f64): usize {
  if (value < 0) {
    store<u8>(to++, 0x2d);
    value = -value;
  }
  if (value < 1_000_000_000) return natural(to, <u32>value);
  const high = <u64>value / 1_000_000_000;
  to = integer(to, <f64>high);
  padded(to, <u32>(<u64>value - high * 1_000_000_000), 9);
  return to + 9;
}

@inline function natural(to: usize, value: u32): usize {
  if (value < 10) {
    store<u8>(to, 0x30 + <u8>value);
    return to + 1;
  }
  let count: u32 = 2;
  for (let limit: u32 = 100; count < 9 && value >= limit; limit *= 10) count++;
  padded(to, value, count);
  return to + count;
}

/** The last `count` digits. */
@inline function padded(to: usize, value: u32, count: u32): void {
  let at = to + count;
  for (; count > 1; count -= 2) {
    const rest = value / 100;
    at -= 2;
    store<u16>(at, pair(value - rest * 100));
    value = rest;
  }
  if (count == 1) store<u8>(to, 0x30 + <u8>value);
}

const DAY_MS: f64 = 86_400_000;
/** Instants beyond are none: those of Date. */
const INSTANT_MAX: f64 = 8.64e15;
/** The day written last, and its date with quote and T: `"2026-01-31T`. */
let dayKept: f64 = f64.NaN;
let dateLow: u64 = 0;
let dateHigh: u32 = 0;

/** `"2026-01-31T08:00:00.000Z"` of milliseconds since 1970, with its quotes, as Date writes it; `null` of 0. */
function instant(to: usize, ms: f64): usize {
  if (ms == 0 || abs(ms) > INSTANT_MAX) {
    store<u32>(to, NULL);
    return to + 4;
  }
  const day = floor(ms / DAY_MS);
  if (day == dayKept) {
    store<u64>(to, dateLow);
    store<u32>(to, dateHigh, 8);
    to += 12;
  } else to = date(to, day);
  const rest = <u32>(ms - day * DAY_MS);
  const seconds = rest / 1000;
  const minutes = seconds / 60;
  const hours = minutes / 60;
  store<u16>(to, pair(hours));
  store<u8>(to, 0x3a, 2);
  store<u16>(to, pair(minutes - hours * 60), 3);
  store<u8>(to, 0x3a, 5);
  store<u16>(to, pair(seconds - minutes * 60), 6);
  store<u8>(to, 0x2e, 8);
  padded(to + 9, rest - seconds * 1000, 3);
  store<u8>(to, 0x5a, 12);
  store<u8>(to, QUOTE, 13);
  return to + 14;
}

/** A date of the Gregorian calendar, after Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013). */
function date(to: usize, day: f64): usize {
  const from = to;
  const shifted = <i64>day + 719_468; // days since 1 March of the year 0
  const era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097;
  const ofEra = <u32>(shifted - era * 146_097);
  const yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365;
  const ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const moon = (5 * ofYear + 2) / 153; // months since March
  const month = moon < 10 ? moon + 3 : moon - 9;
  const year = <i64>yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  store<u8>(to++, QUOTE);
  const isFour = year >= 0 && year <= 9999;
  if (!isFour) store<u8>(to++, year < 0 ? 0x2d : 0x2b);
  const digits: u32 = isFour ? 4 : 6;
  padded(to, <u32>abs(year), digits);
  to += digits;
  store<u8>(to, 0x2d);
  store<u16>(to, pair(month), 1);
  store<u8>(to, 0x2d, 3);
  store<u16>(to, pair(ofYear - (153 * moon + 2) / 5 + 1), 4);
  store<u8>(to, 0x54, 6);
  to += 7;
  if (isFour) {
    dayKept = day;
    dateLow = load<u64>(from);
    dateHigh = load<u32>(from, 8);
  }
  return to;
}
