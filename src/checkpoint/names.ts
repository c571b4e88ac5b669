// names.ts — what the files of weights in a checkpoint are called.

/** The names of one way in which weights are stored: all in one file, or in shards (`suffix`) that an index names. */
export interface WeightFiles {
  readonly single: string;
  readonly index: string;
  readonly suffix: string;
}

const filesOf = (stem: string, suffix: string): WeightFiles => ({
  single: `${stem}${suffix}`,
  index: `${stem}${suffix}.index.json`,
  suffix,
});

/** safetensors, which is read first. */
export const SAFETENSORS: WeightFiles = filesOf("model", ".safetensors");

/** What torch.save writes. */
export const TORCH: WeightFiles = filesOf("pytorch_model", ".bin");

const ALL = [SAFETENSORS, TORCH];

/** Whether weights are read from a file of that name, or by it as an index, if it lies in a folder. */
export const isWeights = (name: string): boolean => ALL.some(({ single, index }) => name === single || name === index);

/** The name under which one named file of weights is the whole model: model.safetensors, pytorch_model.bin. */
export const singleName = (file: string): string | undefined => ALL.find(({ suffix }) => file.endsWith(suffix))?.single;

/** Names of shards: model-00001-of-00002.safetensors. */
export const SHARD = /-\d+-of-\d+\.(?:safetensors|bin)$/;
