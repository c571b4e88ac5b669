// onnx.ts — writes a Llama checkpoint as ONNX (github.com/onnx/onnx, onnx.proto) with the weights in a file beside it.
// The graph is the one onnxruntime-genai builds for its fast kernels: one product for q, k and v, GroupQueryAttention with the
// rotation inside, SkipSimplifiedLayerNormalization, and for 4 bits MatMulNBits in blocks of 32. Only the last position goes
// through the output matrix, as with the others.

import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { field, float, integer, join } from "../../test/tokenizer/protobuf.ts";
import { halves, nibbles } from "./quantise.ts";
import type { Source } from "./source.ts";

/** TensorProto.DataType. */
const [FLOAT, UINT8, INT32, INT64, FLOAT16] = [1, 2, 6, 7, 10];
/** Smaller ones stand in the graph itself: onnxruntime looks at some of them before it reads the file beside it. */
const INLINE_BYTES = 1024;
const ALIGNMENT = 64;

type Attribute = number | { readonly float: number };

/** Collects nodes and constants; large ones go to the file of data as they come. */
class Graph {
  readonly parts: Uint8Array[] = [];
  readonly #data: string;
  readonly #file: number;
  #at = 0;
  #nodes = 0;

  constructor(data: string) {
    this.#data = data;
    this.#file = openSync(data, "w");
  }

  close(): void {
    closeSync(this.#file);
  }

  /** A constant; returns its name. */
  constant(name: string, type: number, dims: readonly number[], values: ArrayBufferView<ArrayBuffer>): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const head = [...dims.map((n) => integer(1, n)), integer(2, type), field(8, name)];
    if (bytes.length < INLINE_BYTES) {
      this.parts.push(field(5, join(...head, field(9, bytes))));
      return name;
    }
    this.#at = Math.ceil(this.#at / ALIGNMENT) * ALIGNMENT;
    writeSync(this.#file, bytes, 0, bytes.length, this.#at);
    const where = { location: basename(this.#data), offset: String(this.#at), length: String(bytes.length) };
    const external = Object.entries(where).map(([key, text]) => field(13, join(field(1, key), field(2, text))));
    this.parts.push(field(5, join(...head, ...external, integer(14, 1))));
    this.#at += bytes.length;
    return name;
  }

  /** A node; returns the name of its first output. Those with attributes of onnxruntime's own are of its domain. */
  node(type: string, inputs: string[], outputs: string[], attributes: Record<string, Attribute> = {}): string {
    const attribute = ([name, value]: [string, Attribute]): Uint8Array =>
      typeof value === "number"
        ? field(5, join(field(1, name), integer(3, value), integer(20, 2)))
        : field(5, join(field(1, name), float(2, value.float), integer(20, 1)));
    const own = ["MatMulNBits", "GroupQueryAttention", "SkipSimplifiedLayerNormalization"].includes(type);
    this.parts.push(
      field(
        1,
        join(
          ...inputs.map((name) => field(1, name)),
          ...outputs.map((name) => field(2, name)),
          field(3, `${type}.${this.#nodes++}`),
          field(4, type),
          ...Object.entries(attributes).map(attribute),
          field(7, own ? "com.microsoft" : ""),
        ),
      ),
    );
    return outputs[0];
  }

  /** An input (11) or output (12) of the graph; texts are sizes known when it runs. */
  value(kind: 11 | 12, name: string, type: number, dims: readonly (number | string)[]): void {
    const sizes = dims.map((size) => field(1, typeof size === "number" ? integer(1, size) : field(2, size)));
    this.parts.push(
      field(kind, join(field(1, name), field(2, field(1, join(integer(1, type), field(2, join(...sizes))))))),
    );
  }
}

/** The transpose [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j];
  return out;
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** How weights and activations are held. */
export interface OnnxOptions {
  readonly io: "f16" | "f32";
  /** Matrices in 4 bits; the embedding stays as `io`. */
  readonly int4: boolean;
}

/** Writes FILE and FILE.data. */
export async function writeOnnx(file: string, source: Source, { io, int4 }: OnnxOptions): Promise<void> {
  const { config, read, tied } = source;
  const { dim, heads, kvHeads, headDim, hidden, layers, vocab } = config;
  const type = io === "f16" ? FLOAT16 : FLOAT;
  const stored = (values: Float32Array): ArrayBufferView<ArrayBuffer> =>
    io === "f16" ? halves(values) : (values as Float32Array<ArrayBuffer>);
  const graph = new Graph(`${file}.data`);
  try {
    const linear = (x: string, name: string, values: Float32Array, [n, k]: [number, number], out: string): string => {
      if (!int4) {
        return graph.node("MatMul", [x, graph.constant(name, type, [k, n], stored(transposed(values, n, k)))], [out]);
      }
      const { codes, scales } = nibbles(values);
      const inputs = [
        x,
        graph.constant(`${name}.q`, UINT8, [n, k / 32, 16], codes),
        graph.constant(`${name}.s`, type, [(n * k) / 32], stored(scales)),
      ];
      return graph.node("MatMulNBits", inputs, [out], { K: k, N: n, bits: 4, block_size: 32, accuracy_level: 4 });
    };
    const vector = async (name: string, from: string): Promise<string> =>
      graph.constant(name, type, [dim], stored(await read(from)));

    const half = headDim / 2;
    const angles = Float64Array.from({ length: config.maxPositions * half }, (_, i) => {
      const turn = config.rope.theta ** (-(2 * (i % half)) / headDim);
      return Math.floor(i / half) * turn;
    });
    const size = [config.maxPositions, half];
    const cos = graph.constant("cos", type, size, stored(Float32Array.from(angles, Math.cos)));
    const sin = graph.constant("sin", type, size, stored(Float32Array.from(angles, Math.sin)));
    const one = graph.constant("one", INT64, [1], BigInt64Array.of(1n));
    const axis = graph.constant("axis", INT64, [], BigInt64Array.of(1n));
    const last = graph.constant("last", INT64, [1], BigInt64Array.of(-1n));
    graph.value(11, "input_ids", INT64, [1, "S"]);
    graph.value(11, "attention_mask", INT64, [1, "T"]);
    graph.value(12, "logits", type, [1, 1, vocab]);
    graph.node("ReduceSum", ["attention_mask", one], ["mask_sum"], { keepdims: 0 });
    graph.node("Sub", ["mask_sum", one], ["mask_last"]);
    graph.node("Cast", ["mask_last"], ["seqlens_k"], { to: INT32 });
    graph.node("Shape", ["attention_mask"], ["mask_shape"]);
    graph.node("Gather", ["mask_shape", axis], ["total64"], { axis: 0 });
    graph.node("Cast", ["total64"], ["total"], { to: INT32 });

    const embed = await read("model.embed_tokens.weight");
    let residual = graph.node(
      "Gather",
      [graph.constant("embed", type, [vocab, dim], stored(embed)), "input_ids"],
      ["x"],
    );
    let delta: string | undefined;
    const epsilon = { float: config.rmsEps };
    const norm = (name: string, weight: string): string => {
      if (delta === undefined) {
        return graph.node("SimplifiedLayerNormalization", [residual, weight], [name], { epsilon, stash_type: 1 });
      }
      const sum = `${name}.sum`;
      graph.node("SkipSimplifiedLayerNormalization", [residual, delta, weight], [name, "", "", sum], { epsilon });
      residual = sum;
      return name;
    };
    for (let i = 0; i < layers; i++) {
      const of = (part: string): Promise<Float32Array> => read(`model.layers.${i}.${part}.weight`);
      const layer = `model.layers.${i}`;
      let x = norm(`n1.${i}`, await vector(`n1.${i}.w`, `${layer}.input_layernorm.weight`));
      const parts = [await of("self_attn.q_proj"), await of("self_attn.k_proj"), await of("self_attn.v_proj")];
      x = linear(x, `qkv.${i}.w`, concatenated(parts), [(heads + 2 * kvHeads) * headDim, dim], `qkv.${i}`);
      for (const kind of ["key", "value"]) {
        graph.value(11, `past_key_values.${i}.${kind}`, type, [1, kvHeads, "P", headDim]);
        graph.value(12, `present.${i}.${kind}`, type, [1, kvHeads, "T", headDim]);
      }
      x = graph.node(
        "GroupQueryAttention",
        [x, "", "", `past_key_values.${i}.key`, `past_key_values.${i}.value`, "seqlens_k", "total", cos, sin],
        [`attention.${i}`, `present.${i}.key`, `present.${i}.value`],
        {
          num_heads: heads,
          kv_num_heads: kvHeads,
          scale: { float: headDim ** -0.5 },
          do_rotary: 1,
          rotary_interleaved: 0,
        },
      );
      delta = linear(x, `o.${i}.w`, await of("self_attn.o_proj"), [dim, heads * headDim], `o.${i}`);
      x = norm(`n2.${i}`, await vector(`n2.${i}.w`, `${layer}.post_attention_layernorm.weight`));
      const gate = linear(x, `gate.${i}.w`, await of("mlp.gate_proj"), [hidden, dim], `gate.${i}`);
      const up = linear(x, `up.${i}.w`, await of("mlp.up_proj"), [hidden, dim], `up.${i}`);
      const silu = graph.node("Mul", [gate, graph.node("Sigmoid", [gate], [`sigmoid.${i}`])], [`silu.${i}`]);
      x = graph.node("Mul", [silu, up], [`gated.${i}`]);
      delta = linear(x, `down.${i}.w`, await of("mlp.down_proj"), [dim, hidden], `down.${i}`);
    }
    let x = norm("final", await vector("final.w", "model.norm.weight"));
    x = graph.node("Gather", [x, last], ["final.last"], { axis: 1 });
    linear(x, "head.w", tied ? embed : await read("lm_head.weight"), [vocab, dim], "logits");
    const opset = (domain: string, version: number): Uint8Array =>
      field(8, join(field(1, domain), integer(2, version)));
    const model = [
      integer(1, 10),
      opset("", 21),
      opset("com.microsoft", 1),
      field(7, join(...graph.parts, field(2, "llama"))),
    ];
    writeFileSync(file, join(...model));
  } finally {
    graph.close();
  }
}
