import { defineConfig } from "vitest/config";

/** Tests of brokers, processes and pages wait most of their time: twice as many at once as two cores compute. */
const waiting = [
  "test/nats/**/*.test.ts",
  "test/cli/**/*.test.ts",
  "test/edges/**/*.test.ts",
  "test/chaos/**/*.test.ts",
];

export default defineConfig({
  test: {
    // A limit is for what hangs, also on a busy machine. The long runs make many times the cases.
    testTimeout: process.env.TIDEMARK_LONG === undefined ? 120_000 : 900_000,
    hookTimeout: 120_000,
    // Conditions are waited for as long as a busy machine may take: one that comes true ends the wait.
    expect: { poll: { timeout: 30_000, interval: 50 } },
    projects: [
      {
        extends: true,
        test: { name: "waiting", include: waiting, maxWorkers: 4, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: "computing",
          include: ["test/**/*.test.ts"],
          exclude: waiting,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
