// packer.ts — packs weights on a device: room for one chunk as stored and for one as packed, and the kernel between them.

import { type Format, type Tensor, quantize, rowStride, tensorBytes } from "../../kernels/index.ts";
import { widen } from "../../kernels/formats/floats.ts";
import type { PackRun } from "../model/weights.ts";
import { Gpu, type Recording } from "./gpu.ts";

/** Words of a step of which `quantize` reads the rows and a zero. */
const STEP_WORDS = 8;

/** What is made once for all runs of a kind, format and width. */
interface Made {
  readonly recording: Recording;
  readonly source: Tensor;
  readonly into: Readonly<Record<string, Tensor>>;
  readonly rows: number;
}

/** Packs runs of rows for the tensors of a Gpu; holds what it needs for it until `close`. */
export class Packer {
  readonly #target: Gpu;
  /** Step, pipelines and staging are apart from the model's. */
  readonly #own: Gpu;
  readonly #made = new Map<string, Made>();
  /** Formats that this device packed otherwise than the host. */
  readonly #refused = new Set<string>();
  #count = 0;

  constructor(target: Gpu) {
    this.#target = target;
    this.#own = new Gpu(target.device, target.facts);
    this.#own.createStep(4 * STEP_WORDS);
  }

  /** Sentences on what a person should see. */
  get notes(): string[] {
    return [...this.#refused].map((name) => `${name} is packed on the host: this device made other bits`);
  }

  /**
   * Packs rows and copies them to where the run says. The first row of each kind, format and width is compared with what the host makes of
   * it: false, and nothing is written, where a device gets it wrong, now and later. Throws as `Gpu` does.
   */
  async pack(run: PackRun, data: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const { kind, rows, columns, format, targets } = run;
    if (this.#refused.has(format.name)) return false;
    const key = [kind, format.name, columns].join();
    const before = this.#made.get(key);
    const made = before && before.rows >= rows ? before : await this.#make(key, run, data.byteLength);
    this.#own.write(made.source, 0, data);
    const shape = { rows, outputs: 0, singles: 0, tiles: 0, splits: 0, fills: 0, fillRows: 0 };
    const step = new Uint32Array(STEP_WORDS);
    step[0] = rows;
    await this.#own.run(made.recording, shape, step);
    if (made !== before && !(await this.#isRight(made, run, data))) {
      this.#refused.add(format.name);
      return false;
    }
    for (const [name, { tensor, byte, rowBytes }] of Object.entries(targets)) {
      this.#target.copyFrom(this.#own, made.into[name], tensor, byte, rows * rowBytes);
    }
    return true;
  }

  /** Frees what is not the model's. */
  close(): void {
    this.#own.close();
  }

  async #make(key: string, { kind, rows, columns, format }: PackRun, bytes: number): Promise<Made> {
    const old = this.#made.get(key);
    if (old) for (const tensor of [old.source, ...Object.values(old.into)]) this.#own.destroy(tensor);
    const name = `packed ${this.#count++}`;
    const source: Tensor = { name: `${name} source`, dtype: "u32", shape: [bytes / 4] };
    const into = format.tensors(name, rows, columns);
    for (const tensor of [source, ...Object.values(into)]) this.#own.create(tensor, "weights");
    const recording = await this.#own.record([quantize({ source, kind, columns, format, into })]);
    const made = { recording, source, into, rows };
    this.#made.set(key, made);
    return made;
  }

  /** Whether the first row is, to the bit, what the host packs. */
  async #isRight({ into }: Made, { kind, columns, format }: PackRun, data: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const needed = packedRow(format, columns, (row) => widen(kind, data, row.subarray(0, columns)));
    for (const [name, bytes] of Object.entries(needed)) {
      const length = format.rowBytes(columns)[name];
      const got = new Uint8Array(await this.#own.read(into[name], 0, length));
      if (got.some((byte, i) => byte !== bytes[i])) return false;
    }
    return true;
  }
}

/** One row as the host packs it, by tensor of the format. */
function packedRow(format: Format, columns: number, fill: (row: Float32Array) => void): Record<string, Uint8Array> {
  const row = new Float32Array(rowStride(format, columns));
  fill(row);
  const entries = Object.entries(format.tensors("row", 1, columns));
  const bytes = Object.fromEntries(entries.map(([name, tensor]) => [name, new Uint8Array(tensorBytes(tensor))]));
  format.pack(row, bytes, 0);
  return bytes;
}
