// torch.ts — pytorch_model.bin by hand: a zip archive and a pickle, each right or wrong wherever a test wants it.

/** One entry of an archive. What is absent is as torch.save writes it. */
export interface Entry {
  readonly name: string;
  readonly data: Uint8Array;
  /** Compression method. */
  readonly method?: number;
  /** General purpose flags. */
  readonly flags?: number;
  /** The name in the local header, where it differs. */
  readonly localName?: string;
  /** What the directory says, where it is not the truth: bytes, bytes in the archive, byte of the local header. */
  readonly says?: { readonly size?: number; readonly packed?: number; readonly header?: number };
}

/** What surrounds the entries. */
export interface Archive {
  /** Write sizes and places as zip64 fields, and the zip64 end record. */
  readonly wide?: boolean;
  readonly comment?: Uint8Array;
  /** Changes the end record, the zip64 end record or its locator, before they are written. */
  readonly end?: (view: DataView) => void;
  readonly end64?: (view: DataView) => void;
  readonly locator?: (view: DataView) => void;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const concat = (parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const fields = (bytes: number, write: (view: DataView) => void): Uint8Array => {
  const out = new Uint8Array(bytes);
  write(new DataView(out.buffer));
  return out;
};
const [MAX16, MAX32] = [0xffff, 0xffff_ffff];

/** A zip archive; the data of each entry starts at a multiple of 64 bytes. */
export function zipBytes(entries: readonly Entry[], archive: Archive = {}): Uint8Array {
  const { wide = false, comment = new Uint8Array(0) } = archive;
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  const add = (part: Uint8Array): void => {
    parts.push(part);
    at += part.length;
  };
  for (const { name, data, method = 0, flags = 0x808, localName = name, says = {} } of entries) {
    const header = says.header ?? at;
    const [local, central] = [encode(localName), encode(name)];
    const padding = (64 - ((at + 30 + local.length) % 64)) % 64;
    const pad = padding === 0 || padding >= 4 ? padding : padding + 64;
    add(
      fields(30, (view) => {
        view.setUint32(0, 0x04034b50, true);
        view.setUint16(6, flags, true);
        view.setUint16(8, method, true);
        view.setUint16(26, local.length, true);
        view.setUint16(28, pad, true);
      }),
    );
    add(local);
    add(
      fields(pad, (view) => {
        if (pad < 4) return;
        view.setUint16(0, 0x4246, true); // "FB", the padding of torch
        view.setUint16(2, pad - 4, true);
      }),
    );
    add(data);
    const [size, packed] = [says.size ?? data.length, says.packed ?? says.size ?? data.length];
    const extra = fields(wide ? 28 : 0, (view) => {
      if (!wide) return;
      view.setUint16(0, 1, true);
      view.setUint16(2, 24, true);
      for (const [i, value] of [size, packed, header].entries()) view.setBigUint64(4 + 8 * i, BigInt(value), true);
    });
    directory.push(
      fields(46, (view) => {
        view.setUint32(0, 0x02014b50, true);
        view.setUint16(8, flags, true);
        view.setUint16(10, method, true);
        view.setUint32(20, wide ? MAX32 : packed, true);
        view.setUint32(24, wide ? MAX32 : size, true);
        view.setUint16(28, central.length, true);
        view.setUint16(30, extra.length, true);
        view.setUint32(42, wide ? MAX32 : header, true);
      }),
      central,
      extra,
    );
  }
  const start = at;
  add(concat(directory));
  const size = at - start;
  if (wide) {
    const place = at;
    add(
      fields(56, (view) => {
        view.setUint32(0, 0x06064b50, true);
        view.setBigUint64(4, 44n, true);
        view.setBigUint64(32, BigInt(entries.length), true);
        view.setBigUint64(40, BigInt(size), true);
        view.setBigUint64(48, BigInt(start), true);
        archive.end64?.(view);
      }),
    );
    add(
      fields(20, (view) => {
        view.setUint32(0, 0x07064b50, true);
        view.setBigUint64(8, BigInt(place), true);
        view.setUint32(16, 1, true);
        archive.locator?.(view);
      }),
    );
  }
  add(
    fields(22, (view) => {
      view.setUint32(0, 0x06054b50, true);
      view.setUint16(10, wide ? MAX16 : entries.length, true);
      view.setUint32(12, wide ? MAX32 : size, true);
      view.setUint32(16, wide ? MAX32 : start, true);
      view.setUint16(20, comment.length, true);
      archive.end?.(view);
    }),
  );
  add(comment);
  return concat(parts);
}

/** A pickle, opcode by opcode, without its PROTO and STOP. */
export const P = {
  raw: (...bytes: number[]): number[] => bytes,
  text: (text: string): number[] => ["X".charCodeAt(0), ...little(encode(text).length, 4), ...encode(text)],
  global: (name: string): number[] => {
    const at = name.lastIndexOf(".");
    return [...encode(`c${name.slice(0, at)}\n${name.slice(at + 1)}\n`)];
  },
  int: (value: number): number[] => ["J".charCodeAt(0), ...little(value, 4)],
  long: (value: bigint): number[] => [0x8a, 8, ...little64(value)],
  tuple: (...items: number[][]): number[] => ["(".charCodeAt(0), ...items.flat(), "t".charCodeAt(0)],
  dict: (...items: number[][]): number[] => [..."}(", ...items.flat(), ..."u"].map(code),
  list: (...items: number[][]): number[] => [..."](", ...items.flat(), ..."e"].map(code),
  ordered: (): number[] => [...P.global("collections.OrderedDict"), ...[...")R"].map(code)],
  call: (name: string, ...args: number[][]): number[] => [...P.global(name), ...P.tuple(...args), code("R")],
  none: ["N".charCodeAt(0)],
  yes: [0x88],
  no: [0x89],
  /** A storage by its persistent id. */
  storage: (key: string, count: number, type = "torch.FloatStorage"): number[] => [
    ...P.tuple(P.text("storage"), P.global(type), P.text(key), P.text("cpu"), P.int(count)),
    code("Q"),
  ],
  /** A tensor; sizes and strides as numbers. */
  tensor: (storage: number[], offset: number, shape: number[], strides: number[], ...rest: number[][]): number[] =>
    P.call(
      "torch._utils._rebuild_tensor_v2",
      storage,
      P.int(offset),
      P.tuple(...shape.map(P.int)),
      P.tuple(...strides.map(P.int)),
      ...(rest.length ? rest : [P.no, P.ordered()]),
    ),
};

const code = (value: string | number): number => (typeof value === "number" ? value : value.charCodeAt(0));
const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 255);
const little64 = (value: bigint): number[] => [...new Uint8Array(BigInt64Array.of(value).buffer)];

/** The bytes of a pickle in protocol 2, from its opcodes. */
export const pickleBytes = (...opcodes: readonly number[][]): Uint8Array =>
  Uint8Array.from([0x80, 2, ...opcodes.flat(), code(".")]);

/** A pytorch_model.bin: a pickle and the entries of its storages, as torch.save lays them out. */
export function torchBytes(
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>>,
  { byteorder = "little", ...archive }: Archive & { byteorder?: string | undefined } = {},
): Uint8Array {
  const file = (name: string, data: Uint8Array | string): Entry => ({
    name: `archive/${name}`,
    data: typeof data === "string" ? encode(data) : data,
  });
  return zipBytes(
    [
      file("data.pkl", pickle),
      file("byteorder", byteorder),
      ...Object.entries(storages).map(([key, data]) => file(`data/${key}`, data)),
      file("version", "3\n"),
    ],
    archive,
  );
}
