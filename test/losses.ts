// losses.ts — engine/losses.test.ts for long: 150 moments at which the device is lost, or as many as asked for, from a seed.
//   npm run test:losses -- [count] [seed]
const [count = "150", seed = "1"] = process.argv.slice(2);
process.env["LLARIAT_LOSSES"] = count;
process.env["LLARIAT_SEED"] = seed;
await import("./engine/losses.test.ts");
