// browser.mjs — the script of browser.html: loads the folder that was picked, asks the question, shows the answer.
import { Llama } from "llariat";

const [folder, question, ask, answer] = ["folder", "question", "ask", "answer"].map((id) =>
  document.getElementById(id),
);
let llama;

folder.addEventListener("change", () => {
  llama?.close();
  llama = undefined;
});

async function respond() {
  ask.disabled = true;
  try {
    answer.value = "loading …";
    llama ??= await Llama.load(folder.files);
    answer.value = "";
    for await (const piece of llama.generate([{ role: "user", content: question.value }])) {
      answer.value += piece.text;
    }
  } catch (error) {
    answer.value = error.message; // for example: no WebGPU in this browser, or no model in this folder
  }
  ask.disabled = false;
}
ask.addEventListener("click", () => void respond());
