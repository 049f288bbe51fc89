import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkpointKey, checkpointName } from "../../connectors/checkpoints.js";
import { CheckpointFolder } from "../../connectors/file/checkpointfolder.js";
import { bytesOf, key, storeContract, write } from "../support/checkpointstore.js";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-checkpoints-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

storeContract(() => new CheckpointFolder(folder));

test("what a process that has ended left unfinished is removed, and what a living one writes is not", async () => {
  const store = new CheckpointFolder(folder);
  await write(store, 0, 1, bytesOf(1));
  const writer = await store.create(0, key(2));
  const [open = ""] = readdirSync(join(folder, "0")).filter((name) => name.endsWith(".tmp"));
  // No process has so high a number; the first process is always there.
  for (const pid of [4_194_305, 1])
    writeFileSync(join(folder, "0", open.replace(`-${process.pid}-`, `-${pid}-`)), "half");
  await new CheckpointFolder(folder).sweep(0);
  const left = readdirSync(join(folder, "0")).filter((name) => name.endsWith(".tmp"));
  expect(left.sort()).toEqual([open, open.replace(`-${process.pid}-`, "-1-")].sort());
  await writer.abandon();
});

test("of those found to be bad the last two stay for people to look at", async () => {
  const store = new CheckpointFolder(folder);
  for (const sequence of [1, 2, 3]) {
    await write(store, 0, sequence, bytesOf(sequence));
    await store.discard(0, key(sequence));
  }
  expect(await store.list(0)).toEqual([]);
  expect(readdirSync(join(folder, "0"))).toHaveLength(2);
});

test("a checkpoint's name tells its position, and sorts by it", () => {
  const names = [9, 10, 123_456_789_012].map((sequence) => checkpointName(key(sequence)));
  expect([...names].sort()).toEqual(names);
  expect(names.map((name) => checkpointKey(name)?.sequence)).toEqual([9, 10, 123_456_789_012]);
  for (const name of ["", "x", "1-2-3", `${names[0]}.tmp`]) expect(checkpointKey(name)).toBeUndefined();
});
