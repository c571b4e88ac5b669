// Hostile requests from a seed: no 500, no crash. `npm run test:server -- fuzz` sends 10,000; here are some hundred.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { serving } from "../tools/serving.ts";
import { fuzz } from "../tools/hostile.ts";
import { nothingHeld } from "../tools/steps.ts";

const test = suite("server: fuzz");

test("requests as no client should send them are answered or refused, and nothing is held", async () => {
  const failures: unknown[] = [];
  const at = await serving({ onError: (error) => failures.push(error) });
  try {
    const statuses = await fuzz(at, 400, 1);
    assert.equal(failures, []);
    for (const status of [200, 400, 404, 405, 415])
      assert.ok(statuses[status] > 0, `${status}: ${JSON.stringify(statuses)}`);
    nothingHeld(at.llama.engine.memory);
  } finally {
    await at.close();
  }
});

test.run();
