import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // The long runs make many times the cases; a limit is for what hangs.
    testTimeout: process.env.TIDEMARK_LONG === undefined ? 60_000 : 900_000,
    hookTimeout: 120_000,
    // Two cores: a file of real servers beside another one makes both slow, not the run fast.
    maxWorkers: 2,
  },
});
