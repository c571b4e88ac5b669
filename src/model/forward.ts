// forward.ts — the forward pass. One call records the dispatches of a plan; decoding replays the list.

import {
  type Dispatch,
  type KvLayer,
  type StepLayout,
  type DeviceFacts,
  type Tensor,
  angles,
  append,
  attentionDecode,
  attentionPrefill,
  embed,
  gatedUnit,
  gather,
  headnorm,
  linear,
  pool,
  rmsnorm,
  rope,
  topk,
} from "../../kernels/index.ts";
import type { ModelConfig } from "./families.ts";
import type { Weights } from "./weights.ts";

/** The tensors a step works in. Rows are the step's capacity; every matrix is f32. */
export interface Activations {
  readonly x: Tensor; // [rows, dim] the residual stream
  readonly h: Tensor; // [rows, dim] normalised
  readonly qkv: Tensor; // [rows, (heads + 2·kvHeads)·headDim]
  readonly attended: Tensor; // [rows, heads·headDim]
  readonly gateUp: Tensor; // [rows, 2·hidden]
  readonly gated: Tensor; // [rows, hidden]
  readonly picked: Tensor; // [outputs, dim]
  readonly final: Tensor; // [outputs, dim] normalised, or sums of normalised rows
  readonly logits: Tensor; // [outputs, vocab]
  readonly candidates: Tensor; // [outputs, CANDIDATE_STRIDE] u32
  readonly partials: Tensor; // [decode rows · heads · parts, headDim + 2]
  readonly table: Tensor; // [angle rows, rotaryDim]
}

/** What a step gives back per output: top candidates, a whole row of logits, or the sum of hidden rows after the final norm. */
export type Want = "candidates" | "logits" | "hidden";

/** Which kernels a recording uses; a step's size decides (src/engine/engine.ts). */
export interface Plan {
  /** Rows and outputs that it has room for: what linear layers are chosen by (kernels/choose.ts, ROW_CLASSES). */
  readonly rows: number;
  readonly outputs: number;
  /** `decode` for rows that stand alone, `prefill` for neighbouring rows of a sequence, `both` where a step has both. */
  readonly attention: "decode" | "prefill" | "both";
  /** Whether some sequence caches raw keys. */
  readonly rawKeys: boolean;
  readonly want: Want;
}

/** Everything the forward pass reads: the model on the device. */
export interface Model {
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly activations: Activations;
  readonly kv: readonly KvLayer[];
  readonly step: StepLayout;
  readonly device: DeviceFacts;
}

const ATTENTION: Readonly<Record<Plan["attention"], typeof attentionDecode>> = {
  prefill: attentionPrefill,
  decode: attentionDecode,
  both: (args) => [...attentionPrefill(args), ...attentionDecode(args)],
};

/**
 * Records a step: token rows in, logits of the output rows out, or sums of hidden rows (HF LlamaForCausalLM: pre-norm blocks of attention and
 * SwiGLU around a residual stream). `run` takes the dispatches in order.
 */
export function forward(run: (dispatch: Dispatch | Dispatch[]) => void, model: Model, plan: Plan): void {
  const { weights, config, kv, step, device, activations: a } = model;
  const { heads, kvHeads, rmsEps: eps, attentionMultiplier: scale } = config;
  const added = { add: true, scale: config.residualMultiplier }; // x += …
  const { rawKeys, rows } = plan;
  const attention = ATTENTION[plan.attention];

  run(angles({ table: a.table, step }));
  run(embed({ weight: weights.embed, y: a.x, scale: config.embeddingMultiplier, step, device })); // x [rows, dim]
  for (const [i, layer] of weights.layers.entries()) {
    run(rmsnorm({ x: a.x, weight: layer.inputNorm, y: a.h, eps, device })); // h [rows, dim]
    run(linear({ x: a.h, weight: layer.qkv, bias: layer.qkvBias, y: a.qkv, rows, step, device })); // qkv [rows, q + k + v]
    const { headNorm } = layer;
    if (headNorm) run(headnorm({ qkv: a.qkv, weight: headNorm, heads, kvHeads, eps, step, device })); // q and k in place
    const turned = !config.layersWithoutRope?.includes(i);
    if (turned) run(rope({ qkv: a.qkv, table: a.table, heads, kvHeads, step, device })); // q and k in place
    run(append({ qkv: a.qkv, kv: kv[i], step, device })); // k, v into their slots
    const keys = { kv: kv[i], rawKeys: rawKeys && turned, window: config.windows?.[i] ?? undefined };
    run(attention({ ...a, ...keys, y: a.attended, heads, kvHeads, scale, step, device })); // [rows, q]
    run(linear({ x: a.attended, weight: layer.o, bias: layer.oBias, y: a.x, ...added, rows, step, device }));
    run(rmsnorm({ x: a.x, weight: layer.postNorm, y: a.h, eps, device }));
    const both = { weight: layer.gateUp, bias: layer.gateUpBias, gateUp: a.gateUp };
    run(gatedUnit({ x: a.h, ...both, y: a.gated, rows, step, device })); // gated [rows, hidden]
    run(linear({ x: a.gated, weight: layer.down, bias: layer.downBias, y: a.x, ...added, rows, step, device }));
  }
  if (plan.want === "hidden") {
    run(rmsnorm({ x: a.x, weight: weights.norm, y: a.h, eps, device })); // h [rows, dim]
    run(pool({ x: a.h, y: a.final, step, device })); // [outputs, dim]
    return;
  }
  run(gather({ x: a.x, y: a.picked, step, device })); // [outputs, dim]
  run(rmsnorm({ x: a.picked, weight: weights.norm, y: a.final, eps, ofOutputs: true, device }));
  const ofOutputs = { ofOutputs: true, rows: plan.outputs, scale: 1 / (config.logitsScaling ?? 1) };
  run(linear({ x: a.final, weight: weights.head, y: a.logits, ...ofOutputs, step, device })); // [outputs, vocab]
  if (plan.want === "candidates") run(topk({ logits: a.logits, candidates: a.candidates, step, device }));
}
