// misuse.ts — misuse.test.ts and exports.test.ts for long: 12,000 misuses each, or as many as asked for, from a seed.
//   node --import tsx test/misuse.ts [count] [seed]
const [count = "12000", seed = "1"] = process.argv.slice(2);
process.env["LLARIAT_MISUSES"] = count;
process.env["LLARIAT_SEED"] = seed;
await import("./misuse.test.ts");
await import("./exports.test.ts");
