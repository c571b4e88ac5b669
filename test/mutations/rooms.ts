// rooms.ts — every list of mutations, by the name that chooses it.
import { checkpoint } from "./checkpoint.ts";
import { engine } from "./engine.ts";
import { grammar } from "./grammar.ts";
import { jinja } from "./jinja.ts";
import { kernels } from "./kernels.ts";
import { retrieval } from "./retrieval.ts";
import { rope } from "./rope.ts";
import { sampling } from "./sampling.ts";
import { tools } from "./tools.ts";
import { server } from "./server.ts";
import { variants } from "./variants.ts";
import type { Mutation } from "./mutation.ts";

/** What must not pass, by room. */
export const MUTATIONS: Readonly<Record<string, readonly Mutation[]>> = {
  rope,
  sampling,
  engine,
  kernels,
  variants,
  checkpoint,
  jinja,
  grammar,
  tools,
  retrieval,
  server,
};
