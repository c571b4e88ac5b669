// rope.mjs — one loaded model, one prompt too long for it, several RoPE scalings: which of them find the answer?
//   node examples/rope.mjs path/to/model
import { Llama } from "llariat";
import { prompts } from "llariat/retrieval";

const llama = await Llama.load(process.argv[2] ?? "models/kv-llama");
const trained = llama.config.maxPositions;

// A list of keys and values, 1.9 times as long as what the model was trained on. It asks for one value near the start.
const { text, value, tokens } = prompts.uuid({
  count: (each) => llama.tokenizer.encode(each).length,
  tokens: Math.floor(1.9 * trained),
  position: 0.1,
  key: ["example"], // another key gives another list
});
console.log(`trained on ${trained} tokens, asked with ${tokens}; the value is ${value}`);

const scalings = [
  null,
  { rope_type: "linear", factor: 2 },
  { rope_type: "dynamic", factor: 2 },
  { rope_type: "yarn", factor: 2 },
  { rope_type: "yarn", factor: 4 },
];
for (const ropeScaling of scalings) {
  const answer = await llama.complete(text, { ropeScaling, allowBeyond: true, maxNewTokens: 40 });
  const { type, factor, maxContext } = answer.rope; // what was really in effect
  const verdict = answer.text.includes(value) ? "found" : "not found";
  console.log(`${type} ${factor}, meant for ${maxContext} tokens: ${verdict}: ${answer.text.trim()}`);
}
llama.close();
