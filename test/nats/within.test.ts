import { expect, test } from "vitest";
import { within } from "../../connectors/nats/broker.js";

const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("work that is done, or fails, leaves no timer that would keep a thread from its end", async () => {
  const before = timers();
  await within(3_600_000, Promise.resolve());
  await expect(within(3_600_000, Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(timers()).toBe(before);
});

test("work that is never done is not waited for longer", async () => {
  await within(1, new Promise(() => {}));
});
