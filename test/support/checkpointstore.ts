/** What every store of checkpoints must do, whatever it lies on. */
import { expect, test } from "vitest";
import type { CheckpointKey, CheckpointStore } from "../../connectors/checkpoints.js";

export function key(sequence: number): CheckpointKey {
  return { sequence, stamp: 1_700_000_000_000 + sequence, number: 3 * sequence };
}

export async function write(store: CheckpointStore, partition: number, sequence: number, bytes: Uint8Array) {
  const writer = await store.create(partition, key(sequence));
  for (let from = 0; from < bytes.length; from += 100_000) await writer.write(bytes.subarray(from, from + 100_000));
  await writer.commit();
}

export async function read(store: CheckpointStore, partition: number, sequence: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of store.read(partition, key(sequence))) parts.push(part);
  return Buffer.concat(parts);
}

export function bytesOf(sequence: number, length = 400_000): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + sequence) & 255);
}

/** A comparison by `toEqual` takes seconds. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function storeContract(make: () => CheckpointStore): void {
  const sequences = async (store: CheckpointStore, partition: number) =>
    (await store.list(partition)).map(({ sequence }) => sequence);

  test("the last two are kept, newest first, a partition for itself, and read back whole", async () => {
    const store = make();
    expect(await store.list(0)).toEqual([]);
    for (const sequence of [9, 10, 1_000]) await write(store, 0, sequence, bytesOf(sequence));
    await write(store, 1, 5, bytesOf(5, 10));
    expect(await store.list(0)).toEqual([1_000, 10].map((sequence) => ({ ...key(sequence), bytes: 400_000 })));
    expect(await store.list(1)).toEqual([{ ...key(5), bytes: 10 }]);
    expect(same(await read(store, 0, 1_000), bytesOf(1_000))).toBe(true);
    expect(same(await read(store, 0, 10), bytesOf(10))).toBe(true);
    await expect(read(store, 0, 9)).rejects.toThrow();
  });

  test("one that is being written, or was abandoned, is none", async () => {
    const store = make();
    await write(store, 0, 1, bytesOf(1));
    const writer = await store.create(0, key(2));
    await writer.write(bytesOf(2));
    expect(await sequences(store, 0)).toEqual([1]);
    await writer.abandon();
    expect(await sequences(store, 0)).toEqual([1]);
    expect(same(await read(store, 0, 1), bytesOf(1))).toBe(true);
  });

  test("two owners write the same one at once: whichever is last, it is whole", async () => {
    const store = make();
    const other = make();
    const [mine, theirs] = [await store.create(0, key(7)), await other.create(0, key(7))];
    await mine.write(bytesOf(7));
    await theirs.write(bytesOf(7));
    await other.sweep(0);
    await mine.commit();
    expect(same(await read(other, 0, 7), bytesOf(7))).toBe(true);
    await theirs.commit();
    expect(same(await read(store, 0, 7), bytesOf(7))).toBe(true);
    expect(await sequences(store, 0)).toEqual([7]);
  });

  test("a discarded one is out of the list and can be written again", async () => {
    const store = make();
    for (const sequence of [1, 2]) await write(store, 0, sequence, bytesOf(sequence));
    await store.discard(0, key(2));
    expect(await sequences(store, 0)).toEqual([1]);
    await write(store, 0, 2, bytesOf(2));
    expect(await sequences(store, 0)).toEqual([2, 1]);
  });
}
