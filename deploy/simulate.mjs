// npm run test:simulate: the simulation alone, with more seeds than within npm test. See test/simulation/owner.test.ts.
process.env.SIMULATION_SEEDS ??= "1000";
process.argv.push("test/simulation");
await import("./test.mjs");
