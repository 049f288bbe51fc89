/** The ring of the input region: nothing lies over anything else, and slices come in order and whole. */
import * as fc from "fast-check";
import { assert, test } from "vitest";
import { InputRing, WAITING_MESSAGES_MAX } from "../../runtime/inputring.js";

const SIZE = 4_096;

/** Messages of so many bytes are written; 0 applies a slice; -1 leaves a hole in the sequences. */
const steps = fc.array(fc.oneof(fc.integer({ min: 24, max: 900 }), fc.constantFrom(0, -1)), { maxLength: 400 });

test("a message never lies over one that waits, and slices give back what was written", () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (all, hold) => {
      const ring = new InputRing(SIZE);
      let waiting: { from: number; to: number; sequence: number; stamp: number }[] = [];
      let sequence = 1;
      let underWay = false;
      for (const step of all) {
        if (step < 0) {
          sequence += 3;
        } else if (step === 0) {
          if (underWay) ring.release();
          const slice = ring.take();
          underWay = slice !== undefined;
          if (slice === undefined) {
            waiting = [];
            continue;
          }
          // What was under way is gone; what is taken begins with the oldest that waits.
          const first = waiting.findIndex((message) => message.sequence === slice.first);
          waiting = waiting.slice(first);
          const taken = waiting.slice(0, slice.count);
          assert.equal(taken[0]?.from, slice.from);
          assert.equal(taken.at(-1)?.to, slice.to);
          assert.equal(slice.last, taken.at(-1)?.sequence);
          for (const [i, message] of taken.entries()) {
            assert.equal(slice.stampOf(message.sequence), message.stamp);
            if (i > 0) assert.equal(message.from, taken[i - 1]?.to, "side by side");
          }
          assert.equal(slice.stampMax, Math.max(...taken.map(({ stamp }) => stamp)));
          if (!hold) {
            ring.release();
            underWay = false;
            waiting = waiting.slice(slice.count);
          }
        } else {
          const from = ring.place(step);
          if (from < 0) {
            assert(waiting.length > 0, "an empty ring takes every message that fits it");
            continue;
          }
          const to = (from + step + 7) & ~7;
          assert(to <= SIZE);
          for (const other of waiting)
            assert(to <= other.from || from >= other.to, `${from}-${to} over ${other.from}-${other.to}`);
          const stamp = 1_000 + ((sequence * 7) % 13);
          ring.add(from, to, sequence, stamp);
          waiting.push({ from, to, sequence: sequence++, stamp });
        }
      }
    }),
  );
});

test("so many messages wait, and no more", () => {
  const ring = new InputRing(1 << 24);
  let sequence = 0;
  for (let at = ring.place(64); at >= 0; at = ring.place(64)) ring.add(at, at + 64, ++sequence, 5);
  assert.equal(sequence, WAITING_MESSAGES_MAX);
  assert.equal(ring.waitingMax, WAITING_MESSAGES_MAX);
  assert.isFalse(ring.isHalfFree);
  while (ring.take() !== undefined) ring.release();
  assert.equal(ring.waiting, 0);
  assert.isTrue(ring.isHalfFree);
  assert.equal(ring.place(64), 0);
});
