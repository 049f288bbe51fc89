/**
 * A worker's part in answers about the state. To be of one instant, each partition is ticked and, at rest, paused; when
 * all of the engine's partitions are, the latest of their clocks is the instant, and rows are taken as time alone leaves
 * them there. Then orders go on, while the rows are fetched.
 */
import type { Partition } from "../../runtime/partition.js";
import type { StateRow } from "../../runtime/state.js";
import { sleep } from "./broker.js";
import type { PartitionOwner } from "./owner.js";
import type { Pause } from "./pause.js";
import type { StatePart, TakenRows } from "./thread.js";

/** Answers under way at a time: each holds its rows, about 300 bytes a row. */
const ANSWERS_MAX = 2;
const ANSWER_MS_MAX = 300_000;
/** For the tick, and until nothing is overdue. */
const REST_MS_MAX = 60_000;
/** Orders wait for so long for the partitions of other threads. */
const PAUSE_MS_MAX = 1_000;

interface Answer {
  readonly paused: Map<number, { readonly partition: Partition; readonly pause: Pause }>;
  readonly rows: Map<number, readonly StateRow[]>;
  readonly timer: NodeJS.Timeout;
}

export class StateAnswers {
  readonly #pauseMsMax: number;
  readonly #answers = new Map<number, Answer>();
  #refused = 0;
  #pausesCut = 0;

  constructor(pauseMsMax = PAUSE_MS_MAX) {
    this.#pauseMsMax = pauseMsMax;
  }

  /** Answers under way. */
  get count(): number {
    return this.#answers.size;
  }

  /** Because there were too many. */
  get refused(): number {
    return this.#refused;
  }

  /** Pauses that ended before all partitions were at rest. */
  get pausesCut(): number {
    return this.#pausesCut;
  }

  /** Throws Error where too many are under way. */
  open(token: number): void {
    if (this.#answers.size >= ANSWERS_MAX) {
      this.#refused++;
      throw new Error("too many answers about the state are under way");
    }
    const timer = setTimeout(() => this.close(token), ANSWER_MS_MAX);
    this.#answers.set(token, { paused: new Map(), rows: new Map(), timer });
  }

  /**
   * Pauses a partition once nothing is overdue, at the broker's now where it is to be ticked. Throws Error where that
   * takes longer than a minute.
   */
  async pause(token: number, owner: PartitionOwner, tick: boolean): Promise<StatePart> {
    if (tick) await owner.tick(REST_MS_MAX);
    return owner.atRest((partition) => {
      const pause = owner.pause(this.#pauseMsMax);
      const number = partition.partition;
      // Closed meanwhile: nobody takes the rows.
      const answer = this.#answers.get(token);
      if (answer === undefined) pause.end();
      else {
        answer.paused.get(number)?.pause.end();
        answer.paused.set(number, { partition, pause });
      }
      return { partition: number, clock: partition.clock, sequence: partition.position.sequence };
    }, REST_MS_MAX);
  }

  /**
   * Takes the rows of all partitions that were paused, as they are at `instant`, and ends the pauses. Null where one of
   * them was over before: its orders have gone on.
   */
  async take(token: number, instant: number): Promise<TakenRows[] | null> {
    const answer = this.#answers.get(token);
    if (answer === undefined) return null;
    const paused = [...answer.paused];
    const cut = paused.filter(([, { pause }]) => pause.isOver).length;
    this.#pausesCut += cut;
    if (cut > 0) {
      endPauses(answer);
      return null;
    }
    for (const [, { pause }] of paused) pause.keep();
    for (const [number, { partition, pause }] of paused) {
      // Closed meanwhile: all pauses are over.
      if (pause.isOver) return null;
      answer.rows.set(number, partition.state(instant));
      pause.end();
      await sleep(0);
    }
    return [...answer.rows].map(([partition, { length }]) => ({ partition, rows: length }));
  }

  /** None where the answer was closed. */
  rows(token: number, partition: number, from: number, count: number): readonly StateRow[] {
    return (
      this.#answers
        .get(token)
        ?.rows.get(partition)
        ?.slice(from, from + count) ?? []
    );
  }

  close(token: number): void {
    const answer = this.#answers.get(token);
    if (answer === undefined) return;
    clearTimeout(answer.timer);
    endPauses(answer);
    this.#answers.delete(token);
  }
}

function endPauses(answer: Answer): void {
  for (const { pause } of answer.paused.values()) pause.end();
  answer.paused.clear();
}
