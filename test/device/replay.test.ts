// A recording that is replayed: its workgroups are those of the step at hand, and are counted again for a step of another shape alone.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type StepShape, rmsnorm } from "../../kernels/index.ts";
import { Gpu } from "../../src/device/gpu.ts";
import { openDevice } from "../tools/models.ts";

const tests = suite("replay");
const handle = await openDevice();
tests.after(() => handle.release());

const FACTS = { subgroupMin: 0, subgroupMax: 0, variants: "tiled" } as const;
const SHAPE: StepShape = { rows: 1, outputs: 1, singles: 1, tiles: 1, splits: 1, fills: 1, fillRows: 1 };

tests("workgroups are counted again when any part of the shape differs, and only then", async () => {
  const gpu = new Gpu(handle.device, FACTS);
  const [x, weight, y] = (["x", "weight", "y"] as const).map((name) => {
    const tensor = { name, dtype: "f32", shape: name === "weight" ? [4] : [8, 4] } as const;
    gpu.create(tensor, "activations");
    return tensor;
  });
  gpu.write(x, 0, new Float32Array(32).fill(1));
  gpu.write(weight, 0, new Float32Array(4).fill(1));
  gpu.createStep(64);
  const seen: StepShape[] = [];
  const record = rmsnorm({ x, weight, y, eps: 0, device: FACTS });
  const workgroups = (shape: StepShape) => {
    seen.push(shape);
    return record.workgroups(shape);
  };
  const recording = await gpu.record([{ ...record, workgroups }]);
  const other = await gpu.record([record]);
  const run = (shape: StepShape, of = recording) => gpu.run(of, shape, new Uint32Array(16));
  await run(SHAPE);
  await run({ ...SHAPE });
  assert.is(seen.length, 1);
  for (const part of Object.keys(SHAPE) as (keyof StepShape)[]) {
    const changed = { ...SHAPE, [part]: 3 };
    await run(changed);
    assert.equal(seen.at(-1), changed, part);
    await run(SHAPE, other); // another recording is replayed in between
    await run(changed);
    await run(SHAPE);
    assert.equal(seen.at(-1), SHAPE, part);
  }
  await run({ ...SHAPE, rows: 5 });
  const values = new Float32Array(await gpu.read(y));
  assert.equal(Array.from(values.subarray(0, 21), Math.round), [...Array.from({ length: 20 }, () => 1), 0]);
  gpu.close();
});

tests.run();
