// batch.mjs — several prompts at once. Requests that run at the same time share every step on the GPU.
//   node examples/batch.mjs path/to/model
import { Llama } from "llariat";

const llama = await Llama.load(process.argv[2] ?? "models/kv-llama");
const animals = ["cat", "dog", "owl", "fox", "bee", "cow", "ant", "elk"];
const prompts = animals.map((animal) => `A short story about the ${animal}:`);
const options = { maxNewTokens: 40, ignoreEos: true };

/** Tokens per second, all prompts together. */
async function measure(name, work) {
  const started = performance.now();
  const answers = await work();
  const tokens = answers.reduce((sum, { ids }) => sum + ids.length, 0);
  const seconds = (performance.now() - started) / 1000;
  console.log(`${name}: ${tokens} tokens, ${(tokens / seconds).toFixed(0)} tokens/s`);
  return answers;
}

await llama.complete(prompts[0], options); // the first request compiles the kernels
const alone = await measure("one after the other", async () => {
  const answers = [];
  for (const prompt of prompts) answers.push(await llama.complete(prompt, options));
  return answers;
});
const together = await measure("all at once", () => Promise.all(prompts.map((each) => llama.complete(each, options))));
const same = together.filter(({ text }, index) => text === alone[index].text).length;
console.log(`${same} of ${prompts.length} answers are the same either way`);
llama.close();
