// forward.ts — the forward pass. One call records the dispatches of a plan; decoding replays the list.

import {
  type Dispatch,
  type KvLayer,
  type StepLayout,
  type DeviceFacts,
  type Tensor,
  angles,
  attentionDecode,
  attentionPrefill,
  embed,
  gatedUnit,
  gather,
  linear,
  normColumns,
  pool,
  queriesKeysValues,
  residual,
  rmsnorm,
  rmsnormAhead,
  topk,
} from "../../kernels/index.ts";
import type { ModelConfig } from "./families.ts";
import type { Weights } from "./weights.ts";

/** The tensors a step works in. Rows are the step's capacity; every matrix is f32. */
export interface Activations {
  readonly x: Tensor; // [rows, dim] the residual stream
  readonly h: Tensor; // [rows, dim] normalised
  readonly ahead: Tensor; // [2, dim] of one row: scaled by the norm's weight, and sums of its squares (kernels/ahead.ts)
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
  const scaled = { scale: config.residualMultiplier }; // x += scale · …
  const { rawKeys, rows } = plan;
  const attention = ATTENTION[plan.attention];
  const { layers } = weights;
  // Of one row, whoever adds to the residual stream does half of the norm that follows.
  const columns = normColumns(
    layers.flatMap(({ o, down }) => [o, down]),
    rows,
    device,
  );
  const norm = columns && { tensor: a.ahead, columns, eps };
  const next = (weight: Tensor) => norm && { weight, ahead: norm };
  const h = norm ? a.ahead : a.h;
  const normed = (weight: Tensor) => run(rmsnorm({ x: a.x, weight, y: a.h, eps, device })); // h [rows, dim]

  run(angles({ table: a.table, step }));
  run(embed({ weight: weights.embed, y: a.x, scale: config.embeddingMultiplier, step, device })); // x [rows, dim]
  if (norm) run(rmsnormAhead({ x: a.x, weight: layers[0].inputNorm, ahead: norm, device }));
  for (const [i, layer] of layers.entries()) {
    if (!norm) normed(layer.inputNorm);
    const turned = !config.layersWithoutRope?.includes(i);
    const qkv = { weight: layer.qkv, bias: layer.qkvBias, headNorm: layer.headNorm, y: a.qkv, norm, eps, rows };
    const place = { table: a.table, kv: kv[i], heads, kvHeads, turned };
    run(queriesKeysValues({ x: h, ...qkv, ...place, step, device })); // qkv [rows, q + k + v]; k, v into their slots
    const keys = { kv: kv[i], rawKeys: rawKeys && turned, window: config.windows?.[i] ?? undefined };
    run(attention({ ...a, ...keys, y: a.attended, heads, kvHeads, scale, step, device })); // [rows, q]
    const o = { weight: layer.o, bias: layer.oBias, y: a.x, ...scaled, rows, next: next(layer.postNorm) };
    run(residual({ x: a.attended, ...o, step, device }));
    if (!norm) normed(layer.postNorm);
    const both = { weight: layer.gateUp, bias: layer.gateUpBias, gateUp: a.gateUp, norm };
    run(gatedUnit({ x: h, ...both, y: a.gated, rows, step, device })); // gated [rows, hidden]
    const down = { weight: layer.down, bias: layer.downBias, y: a.x, ...scaled, rows };
    run(residual({ x: a.gated, ...down, next: next(layers[i + 1]?.inputNorm ?? weights.norm), step, device }));
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
