// npm run test:chaos: the kill loop alone, longer than within npm test. See test/chaos/kill.test.ts for its variables.
process.env.CHAOS_RUNS ??= "5";
process.env.CHAOS_SECONDS ??= "30";
process.argv.push("test/chaos");
await import("./test.mjs");
