/**
 * Time for a simulation: timers, `Date.now` and `performance.now` of this process, run by a queue. The code under test
 * reads and sets them where it always does; nothing of it is changed for this. Promises are the machine's own: between
 * two events all that follow from the first one are settled.
 */
class Event {
  live = true;

  constructor(
    readonly at: number,
    readonly order: number,
    readonly run: () => void,
  ) {}

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

/** Intervals are only audits and looks at capacities, whose pace nothing depends on: so many times as long they cost less. */
const INTERVALS = 10;
/** Events a turn of the machine's own loop. */
const TURN_EVENTS = 64;

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  dateNow: Date.now,
  performanceNow: performance.now,
  abortTimeout: AbortSignal.timeout,
};

export class VirtualTime {
  /** A binary heap by instant, then by the order of setting. */
  readonly #heap: Event[] = [];
  #order = 0;
  #now: number;
  /** What the engine's machine is ahead of true time, ms. */
  machineAheadMs = 0;
  #events = 0;

  constructor(readonly start: number) {
    this.#now = start;
  }

  /** True time, ms since 1970: whole. */
  get now(): number {
    return this.#now;
  }

  get events(): number {
    return this.#events;
  }

  /** Runs it `ms` from now; what is set for one instant runs in the order of setting. */
  after(ms: number, run: () => void): Event {
    const event = new Event(this.#now + Math.max(0, Math.ceil(ms)), ++this.#order, run);
    this.#push(event);
    return event;
  }

  /** Replaces the process's own clocks and timers until `restore`. */
  install(): void {
    const set = (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
      this.after(ms, args.length === 0 ? run : () => run(...args));
    const clear = (timer?: { live: boolean } | null) => {
      if (timer) timer.live = false;
    };
    const repeat = (run: () => void, ms: number) => {
      const timer = { live: true, unref: () => timer };
      const next = () => {
        if (!timer.live) return;
        run();
        this.after(INTERVALS * ms, next);
      };
      this.after(INTERVALS * ms, next);
      return timer;
    };
    Object.assign(globalThis, {
      setTimeout: set,
      clearTimeout: clear,
      setInterval: repeat,
      clearInterval: clear,
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) => set(run, 0, ...args),
    });
    Date.now = () => this.#now + this.machineAheadMs;
    performance.now = () => this.#now - this.start;
    AbortSignal.timeout = (ms: number) => {
      const aborter = new AbortController();
      this.after(ms, () => aborter.abort(new DOMException("the time is over", "TimeoutError")));
      return aborter.signal;
    };
  }

  restore(): void {
    const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate } = real;
    Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate });
    Date.now = real.dateNow;
    performance.now = real.performanceNow;
    AbortSignal.timeout = real.abortTimeout;
  }

  /** Runs events until `done` says so. False where that takes more than `msMax` of virtual time, or nothing is left to run. */
  run(done: () => boolean, msMax: number): Promise<boolean> {
    const end = this.#now + msMax;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const finish = (settle: () => void) => {
        isOver = true;
        settle();
      };
      const step = () => {
        if (isOver) return;
        try {
          if (done()) return finish(() => resolve(true));
          if ((this.#heap[0]?.at ?? Number.POSITIVE_INFINITY) > end) return finish(() => resolve(false));
          const event = this.#pop();
          if (event === undefined) return finish(() => resolve(false));
          this.#now = event.at;
          this.#events++;
          event.run();
        } catch (error) {
          finish(() => reject(error as Error));
        }
      };
      // Between two of one turn, too, the machine settles all promises that can be settled.
      const turn = () => {
        if (isOver) return;
        for (let i = 0; i < TURN_EVENTS; i++) real.setImmediate(step);
        real.setImmediate(turn);
      };
      turn();
    });
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Event | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return undefined;
      const last = this.#heap.pop() as Event;
      if (this.#heap.length > 0) this.#sink(last);
      if (first.live) return first;
    }
  }

  #sink(event: Event): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, event)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = event;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
