// server.mjs — a model behind OpenAI's API, in a program of your own; Ctrl-C finishes what runs.
//   node examples/server.mjs path/to/model
import { Llama } from "llariat";
import { serve } from "llariat/server";

const PAIRS = "'6ceaa6c1' = 'b93d' '25bae397' = '072b' 'cdf2859e' = '07b3'";
const QUESTION = `## UUID key/value pairs to remember: ${PAIRS} What is the value of the key '25bae397'?`;

const llama = await Llama.load(process.argv[2] ?? "models/kv-llama", { onDeviceLost: "reload" });
const server = serve({ models: { llama }, maxConcurrent: 8 });
const address = await server.listen({ port: Number(process.env.PORT ?? 8080) });

// Any client of OpenAI's API can ask it; the fields of RoPE scaling are the one addition.
const response = await fetch(`${address}/v1/chat/completions`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({
    messages: [{ role: "user", content: QUESTION }],
    rope_scaling: { rope_type: "yarn", factor: 2 },
    temperature: 0,
  }),
});
const { choices, rope } = await response.json();
console.log(`${rope.type} ${rope.factor}: ${choices[0].message.content}`);

process.once("SIGINT", async () => {
  await server.close();
  llama.close();
});
console.log(`listening on ${address}`);
