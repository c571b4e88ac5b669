// adapter.ts — prints the name of the adapter that tests will run on: LLARIAT_ADAPTER or the default one.
//   node --import tsx test/tools/adapter.ts
import { requestDevice } from "../../src/node/gpu.ts";

const { adapter, release } = await requestDevice({ log: () => {} });
release();
console.log(adapter.description);
