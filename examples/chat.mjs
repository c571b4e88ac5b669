// chat.mjs — talk with a model. Type a line, read the answer; Ctrl-C ends it. Or pipe lines in, one question each.
//   node examples/chat.mjs path/to/model
import { createInterface } from "node:readline";
import { Llama, LlariatError } from "llariat";

const { stdin, stdout } = process;
const llama = await Llama.load(process.argv[2] ?? "models/kv-llama");
const lines = createInterface({ input: stdin, output: stdin.isTTY ? stdout : undefined, prompt: "> " });
lines.on("SIGINT", () => process.exit());

let messages = [];
lines.prompt();
for await (const line of lines) {
  messages.push({ role: "user", content: line });
  try {
    let answer = "";
    for await (const piece of llama.generate(messages)) {
      stdout.write(piece.text);
      answer += piece.text;
    }
    messages.push({ role: "assistant", content: answer });
  } catch (error) {
    // The one error to expect is a conversation longer than the model's context; its message says so.
    if (!(error instanceof LlariatError)) throw error;
    stdout.write(`${error.message}\n(starting over)`);
    messages = [];
  }
  stdout.write("\n");
  lines.prompt();
}
llama.close();
