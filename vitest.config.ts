import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Two cores: a file of real servers beside another one makes both slow, not the run fast.
    maxWorkers: 2,
  },
});
