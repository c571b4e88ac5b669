// child.ts — one engine with one model in a process of its own, told what to compute by peers.ts, one message at a time.

import { cpuMs } from "../harness.ts";
import { type Spec, openEngine } from "./engines.ts";

const spec = JSON.parse(process.argv[2]) as Spec;
const send = (message: object): void => void process.send!(message);

try {
  const { run, adapter, driver } = await openEngine(spec);
  process.on("message", ({ ids, steps }: { ids: number[]; steps: number }) => {
    const before = cpuMs();
    run(ids, steps).then(
      (found) => send({ ...found, cpu: cpuMs() - before }),
      (error: unknown) => send({ error: String(error) }),
    );
  });
  send({ adapter, driver });
} catch (error) {
  send({ error: String(error) });
  process.disconnect();
}
