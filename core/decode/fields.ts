// What the values found in an item mean: the fields of an order event, and what is wrong with it.
//
// Of several wrongs the first is told, in the order in which the fields are read: test, status, kind, time,
// id, customer, channel, currency, amount, order, version. A test order, one that its status leaves out and
// one of nobody are told as such, whatever else is wrong with them.
import { resolveCurrency } from "../channels";
import {
  ANONYMOUS,
  CANCEL,
  FINE,
  FRACTION,
  Item,
  MISSING_FIELD,
  ORDER,
  OVER_LIMIT,
  REFUND,
  SKIPPED,
  TEST,
  TIME_TOO_OLD,
  UNSUPPORTED,
  WRONG_TYPE,
} from "../item";
import { SCRATCH_BYTES } from "../layout";
import { decimalsOf, readAmount } from "./amount";
import { digits, findDigits, NO_DIGITS } from "./digits";
import { ABSENT, ESCAPED, FALSE, Findings, FLOAT, Found, foundAt, INTEGER, NUMBER, TEXT, TRUE } from "./found";
import { HAS_FRACTION, NO_NUMBER, number, READ, readInteger, TOO_LOW } from "./number";
import { meaningOf, STATUS_CANCEL, STATUS_ORDER, STATUS_SKIP, STATUS_UNKNOWN, Table } from "./table";
import { readText, readWord, text, textLength } from "./text";
import { instant, readInstant } from "./time";

const ID_MAX: u32 = 128;
const CUSTOMER_MAX: u32 = 256;
const CHANNEL_MAX: u32 = 64;
const AMOUNT_MAX: i64 = 10_000_000_000_000;
const VERSION_MAX: i64 = 9_007_199_254_740_992;
const YEAR_1990: i64 = 631_152_000_000;
const YEAR_10000: i64 = 253_402_300_800_000;

// The item's scratch: a place for each text that is kept, with room for a sign and the end of a last code point.
const ROOM: u32 = 16;
const ID_AT: u32 = 0;
const ORDER_AT: u32 = ID_AT + ID_MAX + ROOM;
const CUSTOMER_AT: u32 = ORDER_AT + ID_MAX + ROOM;
const CHANNEL_AT: u32 = CUSTOMER_AT + CUSTOMER_MAX + ROOM;
if (CHANNEL_AT + CHANNEL_MAX + ROOM > SCRATCH_BYTES) ERROR("The scratch of an item is too small");

/** What becomes of the item under way: FINE until something is wrong with it. */
let verdict: u8 = FINE;

/** Notes what is wrong, unless something was before. */
function fail(reason: u8): void {
  if (verdict == FINE) verdict = reason + 1;
}

/** Writes all of an item but its place in the message, from the values found in it. `scratch` is its own. */
export function writeFields(item: Item, table: Table, findings: Findings, scratch: usize): void {
  verdict = FINE;
  const hasExtras = (findings.seen & table.extras) != 0;
  const isTest = hasExtras && readTest(table, findings);
  const status = hasExtras ? readStatus(table, findings) : STATUS_ORDER;
  const kind = hasExtras ? readKind(table, findings) : ORDER;
  item.time = readTime(table, findings);
  readId(item, table, findings, scratch + ID_AT);
  const isNobody = readCustomer(item, table, findings, scratch + CUSTOMER_AT);
  readChannel(item, table, findings, scratch + CHANNEL_AT);
  const named = readCurrency(table, findings);
  const resolved = resolveCurrency(item.channel, item.channelLength, named);
  item.kind = kind;
  item.isVoid = <u8>(hasExtras && kind == ORDER && (status == STATUS_CANCEL || isCancelled(table, findings)));
  item.amount = readWorth(item, table, findings, resolved); // a negative order becomes a refund, which has no order
  item.order = 0;
  item.orderLength = 0;
  if (kind != ORDER) readOrder(item, table, findings, kind, scratch + ORDER_AT);
  item.currency = item.order ? named : resolved; // a reversal has its order's
  item.version = hasExtras ? readVersion(table, findings) : 0;
  if (isTest) verdict = TEST;
  else if (status == STATUS_SKIP) verdict = SKIPPED;
  else if (isNobody && !table.guestsRejected) verdict = ANONYMOUS;
  item.verdict = verdict;
}

/** The same for an item that is no map: it has no fields. */
export function writeNoFields(item: Item, table: Table): void {
  item.id = 0;
  item.idLength = 0;
  item.customer = 0;
  item.customerLength = 0;
  item.order = 0;
  item.orderLength = 0;
  item.channel = changetype<usize>(table) + table.channel;
  item.channelLength = table.channelLength;
  item.time = 0;
  item.amount = 0;
  item.version = 0;
  item.currency = 0;
  item.kind = ORDER;
  item.isVoid = 0;
  item.verdict = WRONG_TYPE + 1;
}

function readTest(table: Table, findings: Findings): bool {
  const type = foundAt(findings, table.test).type;
  if (type != ABSENT && type != TRUE && type != FALSE) fail(WRONG_TYPE);
  return type == TRUE;
}

/** What the status says of the item. */
function readStatus(table: Table, findings: Findings): u32 {
  const found = foundAt(findings, table.status);
  if (found.type == ABSENT) return STATUS_ORDER;
  if (!readWord(found)) {
    fail(WRONG_TYPE);
    return STATUS_UNKNOWN;
  }
  const meaning = meaningOf(table, table.statuses, table.statusCount, text, textLength, table.statusOther);
  if (meaning == STATUS_UNKNOWN) fail(UNSUPPORTED);
  return meaning;
}

/** Is there anything in the field that says when the order was cancelled? */
function isCancelled(table: Table, findings: Findings): bool {
  const found = foundAt(findings, table.cancelled);
  if (found.type == ABSENT || found.type == FALSE) return false;
  return (found.type != TEXT && found.type != ESCAPED) || found.length > 0;
}

const ORDE: u32 = 0x6564726f;
const REFU: u32 = 0x75666572;
const CANC: u32 = 0x636e6163;

function readKind(table: Table, findings: Findings): u8 {
  const found = foundAt(findings, table.kind);
  if (found.type == ABSENT) return ORDER;
  if (!readWord(found)) {
    fail(WRONG_TYPE);
    return ORDER;
  }
  if (textLength >= 5) {
    const start = load<u32>(text);
    if (textLength == 5 && start == ORDE && load<u8>(text, 4) == 0x72) return ORDER;
    if (textLength == 6 && start == REFU && load<u16>(text, 4) == 0x646e) return REFUND;
    if (textLength == 6 && start == CANC && load<u16>(text, 4) == 0x6c65) return CANCEL;
  }
  fail(UNSUPPORTED);
  return ORDER;
}

/** The event time, 0 where it can't be read. */
@inline function readTime(table: Table, findings: Findings): i64 {
  const found = foundAt(findings, table.time);
  const value = <i64>found.bits;
  if (found.type == INTEGER && value >= YEAR_1990 && value < YEAR_10000) return value;
  return readAnyTime(table, found);
}

function readAnyTime(table: Table, found: Found): i64 {
  if (found.type == ABSENT) {
    fail(MISSING_FIELD);
    return 0;
  }
  const status = readMs(table, found);
  if (status == READ && ms >= YEAR_1990 && ms < YEAR_10000) return ms;
  if (status == NO_NUMBER || status == HAS_FRACTION) fail(WRONG_TYPE);
  else fail(status == TOO_LOW || (status == READ && ms < YEAR_1990) ? TIME_TOO_OLD : OVER_LIMIT);
  return 0;
}

/** The instant or version read last. */
let ms: i64 = 0;

/** Reads an integer, or RFC 3339 in ms; statuses as `readInteger`. */
function readMs(table: Table, found: Found): i32 {
  if (found.type == TEXT || found.type == ESCAPED) {
    readWord(found);
    if (!readInstant(table, text, textLength)) return NO_NUMBER;
    ms = instant;
    return READ;
  }
  const status = readInteger(found);
  ms = number;
  return status;
}

/** Where the name read last is; 0 for one that can't be. */
let name: usize = 0;
let nameLength: u32 = 0;

/** Reads an id, as text or digits, of at most `max` bytes; may be empty. False where it is wrong. */
function readName(found: Found, target: usize, max: u32): bool {
  name = 0;
  nameLength = 0;
  let at: usize;
  let length: u32;
  if (readText(found, target, max)) {
    at = text;
    length = textLength;
  } else if (found.type >= NUMBER && found.type <= FLOAT) {
    length = findDigits(found, target, max);
    at = digits;
    if (length == NO_DIGITS) {
      fail(WRONG_TYPE);
      return false;
    }
  } else {
    fail(found.type == ABSENT ? MISSING_FIELD : WRONG_TYPE);
    return false;
  }
  if (length > max) {
    fail(OVER_LIMIT);
    return false;
  }
  name = at;
  nameLength = length;
  return true;
}

/** Is it a text, or an integer that stands in the message, of 1 to `max` bytes: a name as it is? */
@inline function isName(found: Found, max: u32): bool {
  return found.length - 1 < max && (found.type == TEXT || found.type == INTEGER);
}

@inline function readId(item: Item, table: Table, findings: Findings, target: usize): void {
  const found = foundAt(findings, table.id);
  if (isName(found, ID_MAX)) {
    item.id = found.at;
    item.idLength = found.length;
  } else {
    readAnyId(item, found, target);
  }
}

function readAnyId(item: Item, found: Found, target: usize): void {
  if (readName(found, target, ID_MAX) && nameLength == 0) failEmpty();
  item.id = name;
  item.idLength = nameLength;
}

/** An empty name is as good as none: it is not told on. */
function failEmpty(): void {
  name = 0;
  fail(OVER_LIMIT);
}

/** Is the customer nobody? */
@inline function readCustomer(item: Item, table: Table, findings: Findings, target: usize): bool {
  const found = foundAt(findings, table.customer);
  if (isName(found, CUSTOMER_MAX) && table.guestCount == 0) {
    item.customer = found.at;
    item.customerLength = found.length;
    return false;
  }
  return readAnyCustomer(item, table, found, target);
}

function readAnyCustomer(item: Item, table: Table, found: Found, target: usize): bool {
  let isNobody = false;
  if (table.guestCount && found.type == ABSENT) {
    name = 0;
    nameLength = 0;
    isNobody = true;
  } else if (readName(found, target, CUSTOMER_MAX)) {
    isNobody = table.guestCount != 0 && isGuest(table);
    if (nameLength == 0 && !isNobody) failEmpty();
  }
  if (isNobody && table.guestsRejected) fail(MISSING_FIELD);
  item.customer = nameLength ? name : 0;
  item.customerLength = nameLength;
  return isNobody;
}

function isGuest(table: Table): bool {
  return meaningOf(table, table.guests, table.guestCount, name, nameLength, 0) != 0;
}

@inline function readChannel(item: Item, table: Table, findings: Findings, target: usize): void {
  item.channel = changetype<usize>(table) + table.channel;
  item.channelLength = table.channelLength;
  const found = foundAt(findings, table.channelSlot);
  if (found.type != ABSENT) readNamedChannel(item, found, target);
}

function readNamedChannel(item: Item, found: Found, target: usize): void {
  if (!readText(found, target, CHANNEL_MAX)) {
    fail(WRONG_TYPE);
  } else if (textLength == 0 || textLength > CHANNEL_MAX) {
    fail(OVER_LIMIT);
  } else {
    item.channel = text;
    item.channelLength = textLength;
  }
}

/** The currency that the event names, 0 where it names none. */
@inline function readCurrency(table: Table, findings: Findings): u16 {
  const found = foundAt(findings, table.currency);
  return found.type == ABSENT ? 0 : readNamedCurrency(found);
}

function readNamedCurrency(found: Found): u16 {
  if (readWord(found) && textLength == 3) {
    const a = <u32>load<u8>(text) - 0x41;
    const b = <u32>load<u8>(text, 1) - 0x41;
    const c = <u32>load<u8>(text, 2) - 0x41;
    if (a < 26 && b < 26 && c < 26) return <u16>(((a + 1) << 10) | ((b + 1) << 5) | (c + 1));
  }
  fail(WRONG_TYPE);
  return 0;
}

/** The amount of an order or refund; may make an order of a negative one a refund. Of a cancel it is ignored. */
@inline function readWorth(item: Item, table: Table, findings: Findings, currency: u16): i64 {
  if (item.kind == CANCEL) return 0;
  const found = foundAt(findings, table.amount);
  if (found.type == INTEGER && found.bits <= <u64>AMOUNT_MAX && !table.isDecimal) return <i64>found.bits;
  return readAnyWorth(item, table, found, currency);
}

function readAnyWorth(item: Item, table: Table, found: Found, currency: u16): i64 {
  if (found.type == ABSENT) {
    fail(MISSING_FIELD);
    return 0;
  }
  const isDecimal = table.isDecimal != 0;
  const status = readAmount(found, isDecimal, isDecimal ? decimalsOf(currency) : 0);
  if (status == NO_NUMBER) fail(WRONG_TYPE);
  else if (status == HAS_FRACTION) fail(FRACTION);
  else if (status != READ || abs(number) > AMOUNT_MAX) fail(OVER_LIMIT);
  else if (number >= 0) return number;
  else if (item.kind != ORDER || !table.negativeRefunds) fail(OVER_LIMIT);
  else if (item.isVoid)
    fail(UNSUPPORTED); // a refund without order can't be taken back
  else {
    item.kind = REFUND;
    return -number;
  }
  return 0;
}

/** The order that a reversal is about; a cancel must have one. */
function readOrder(item: Item, table: Table, findings: Findings, kind: u8, target: usize): void {
  const found = foundAt(findings, table.order);
  if (found.type == ABSENT && kind == REFUND) return;
  if (readName(found, target, ID_MAX) && nameLength == 0) failEmpty();
  item.order = name;
  item.orderLength = nameLength;
}

function readVersion(table: Table, findings: Findings): i64 {
  const found = foundAt(findings, table.version);
  if (found.type == ABSENT) return 0;
  const status = readMs(table, found);
  if (status == READ && ms >= 0 && ms <= VERSION_MAX) return ms;
  fail(status == NO_NUMBER || status == HAS_FRACTION ? WRONG_TYPE : OVER_LIMIT);
  return 0;
}
