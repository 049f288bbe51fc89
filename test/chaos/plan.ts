/** What goes wrong, and when: drawn from a seed before anything starts, so that a seed gives the same faults again. */
import { Random } from "../../runtime/random.js";

export type Fault = { readonly at: number } & (
  | { readonly kind: "killEngine"; readonly downMs: number }
  | { readonly kind: "killBroker"; readonly downMs: number }
  | { readonly kind: "pauseEngine"; readonly forMs: number }
  | { readonly kind: "pauseBroker"; readonly forMs: number }
  | { readonly kind: "cut"; readonly afterBytes: number }
  | { readonly kind: "stall"; readonly forMs: number; readonly thenCut: boolean }
  | { readonly kind: "halfOpen" }
  | { readonly kind: "dropConsumers" }
  | { readonly kind: "spoilCheckpoint"; readonly which: number; readonly how: "flip" | "cut" | "empty" }
  | { readonly kind: "refuseCheckpoints"; readonly forMs: number }
  | { readonly kind: "secondOwner"; readonly forMs: number; readonly kill: boolean }
);
export type FaultKind = Fault["kind"];

/** How often each comes, in parts of the whole. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  killEngine: 6,
  killBroker: 4,
  pauseEngine: 3,
  pauseBroker: 1,
  cut: 4,
  stall: 2,
  halfOpen: 0.3,
  dropConsumers: 2,
  spoilCheckpoint: 3,
  refuseCheckpoints: 1,
  secondOwner: 2,
};
/** The broker drops a client that does not answer for this long (see deployment.ts). */
export const BROKER_PATIENCE_MS = 3_000;

/** Faults from 0 on, none later than `durationMs`; times in ms from the start of the orders. */
export function planOf(seed: number, durationMs: number, meanGapMs: number): Fault[] {
  const random = new Random(seed, 1);
  const faults: Fault[] = [];
  for (let at = random.exponential(meanGapMs); at < durationMs; at += random.exponential(meanGapMs)) {
    faults.push(faultOf(random, Math.floor(at)));
  }
  return faults;
}

function faultOf(random: Random, at: number): Fault {
  const kind = drawKind(random);
  switch (kind) {
    case "killEngine":
      return { at, kind, downMs: random.below(400) };
    case "killBroker":
      return { at, kind, downMs: random.below(1_000) };
    case "pauseEngine":
      // Some outlast what the broker and our own acknowledgements wait.
      return { at, kind, forMs: random.chance(0.4) ? BROKER_PATIENCE_MS + random.below(6_000) : random.below(1_500) };
    case "pauseBroker":
      return { at, kind, forMs: random.chance(0.3) ? 5_000 + random.below(2_000) : random.below(1_500) };
    case "cut":
      return { at, kind, afterBytes: random.chance(0.3) ? 0 : random.below(random.chance(0.5) ? 2_000 : 100_000) };
    case "stall":
      return {
        at,
        kind,
        forMs: random.chance(0.3) ? 5_000 + random.below(2_000) : random.below(1_500),
        thenCut: random.chance(0.5),
      };
    case "spoilCheckpoint":
      return {
        at,
        kind,
        which: random.uniform(),
        how: (["flip", "flip", "cut", "empty"] as const)[random.below(4)] ?? "flip",
      };
    case "refuseCheckpoints":
      return { at, kind, forMs: random.below(3_000) };
    case "secondOwner":
      return { at, kind, forMs: 500 + random.below(5_000), kill: random.chance(0.5) };
    default:
      return { at, kind };
  }
}

function drawKind(random: Random): FaultKind {
  const kinds = Object.entries(WEIGHTS) as [FaultKind, number][];
  let left = random.uniform() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of kinds) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "killEngine";
}
