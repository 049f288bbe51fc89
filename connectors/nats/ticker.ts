/**
 * Time enters a partition as a message. When something is due and no message has passed that instant, the owner
 * publishes a tick, which the broker stamps; never a second one before the first was applied, and at most one in
 * `tickMs`. While due things still wait (`overdue`), the next tick follows as soon as all output is stored.
 * An idle partition with nothing due publishes nothing.
 *
 * A live order waits for the tick before it, so a tick says how many it fires: as many as were stored in some
 * milliseconds before.
 */
import { TICK_FIRES_MAX } from "../../runtime/control.js";
import type { Clock } from "../../runtime/settings.js";
import { TURN_MS_MAX, Turns } from "./turns.js";

/** What the ticker looks at; the partition itself, and its ledger's writer. */
export interface TickView {
  readonly sequence: number;
  readonly clock: number;
  readonly overdue: number | null;
  readonly nextDue: number | null;
  readonly inFlight: number;
}

export interface Tick {
  /** Due customers that it fires at most. */
  readonly fires: number;
  /** T, under `clock: event`. */
  readonly time?: number;
}

export interface TickerOptions {
  readonly clock: Clock;
  readonly tickMs: number;
  readonly view: () => TickView;
  /** Publishes a tick and gives its sequence. */
  readonly publish: (tick: Tick) => Promise<number>;
  /** Wall clock in ms. */
  readonly now: () => number;
  /** Of those that share the thread; default: alone. */
  readonly turns?: Turns;
}

/** Samples of how far the broker's clock is ahead of ours. */
const SAMPLES_MAX = 16;
/** What a tick fires: to begin with, and at least. */
const FIRES = { first: 256, least: 64 };
/** From its publishing until all that it brought is stored: in less, the next one fires twice as many; in more, half. */
const DRAIN_MS = { least: 5, most: 10 };
/** Node's timers end at 2^31 ms; and a clock that is set anew is noticed after this long. */
const WAIT_MS_MAX = 600_000;

export class Ticker {
  readonly #options: TickerOptions;
  readonly #turns: Turns;
  readonly #ask = () => this.consider();
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #publishing = false;
  /** Sequence of the last tick: no other one before it was applied. */
  #sequence = 0;
  #publishedAt = Number.NEGATIVE_INFINITY;
  #fires = FIRES.first;
  /** What the last tick brought is not known to be stored yet. */
  #draining = false;
  #skews: number[] = [];
  #count = 0;
  #waitsSince: number | undefined;
  #waitedMs = 0;

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#turns = options.turns ?? new Turns();
  }

  /** Ticks published. */
  get count(): number {
    return this.#count;
  }

  /** That ticks have waited for the turn. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** From now on (the input was read to its end) the owner ticks. */
  start(): void {
    this.#running = true;
    this.consider();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#turns.leave(this.#ask);
  }

  /** Takes in the stamp of a message that was applied as soon as it came. */
  observe(stamp: number): void {
    // A late look makes the broker seem behind, never ahead: the largest of the last ones is the truest.
    this.#skews.push(stamp - this.#options.now());
    if (this.#skews.length > SAMPLES_MAX) this.#skews.shift();
  }

  /** To be called whenever something was applied or stored. */
  consider(): void {
    if (!this.#running || this.#publishing) return;
    const { clock, tickMs, now, view } = this.#options;
    const seen = view();
    if (seen.sequence < this.#sequence) return; // the last one is still on its way
    if (seen.overdue !== null) {
      if (seen.inFlight > 0) return;
      this.#learn();
      this.#tickInTurn(clock === "event" ? seen.clock : undefined);
      return;
    }
    this.#draining = false;
    clearTimeout(this.#timer);
    this.#endWait();
    if (seen.inFlight === 0) this.#turns.leave(this.#ask);
    if (seen.nextDue === null || clock === "event") return;
    const skew = this.#skews.length === 0 ? 0 : Math.max(...this.#skews);
    // Stamps are rounded down: a millisecond later it has passed for certain.
    const wait = Math.max(seen.nextDue + 1 - (now() + skew), this.#publishedAt + tickMs - now());
    if (wait <= 0) this.#tickInTurn();
    else this.#later(wait);
  }

  /** What the last tick brought is stored: whoever else waits comes first. */
  #tickInTurn(time?: number): void {
    this.#turns.pass(this.#ask);
    if (this.#turns.take(this.#ask)) {
      this.#endWait();
      void this.#tick(time);
      return;
    }
    this.#waitsSince ??= performance.now();
    this.#later(TURN_MS_MAX);
  }

  /** A tick that fired all that it might is stored: how long it took says what the next one may fire. */
  #learn(): void {
    if (!this.#draining) return;
    this.#draining = false;
    const took = this.#options.now() - this.#publishedAt;
    if (took > DRAIN_MS.most) this.#fires = Math.max(FIRES.least, this.#fires / 2);
    else if (took < DRAIN_MS.least) this.#fires = Math.min(TICK_FIRES_MAX, this.#fires * 2);
  }

  async #tick(time?: number): Promise<void> {
    this.#publishing = true;
    this.#publishedAt = this.#options.now();
    try {
      const fires = this.#fires;
      this.#sequence = await this.#options.publish(time === undefined ? { fires } : { fires, time });
      this.#count++;
      this.#draining = true;
    } catch {
      // The broker is away, or full: nothing is lost by ticking later.
      this.#later(this.#options.tickMs);
      return;
    } finally {
      this.#publishing = false;
    }
    this.consider();
  }

  #endWait(): void {
    if (this.#waitsSince !== undefined) this.#waitedMs += performance.now() - this.#waitsSince;
    this.#waitsSince = undefined;
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.consider(), Math.min(ms, WAIT_MS_MAX));
  }
}
