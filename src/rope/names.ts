// names.ts — which types and keys there are; misspelt, misplaced and missing ones are refused by name.

import type { RopeType } from "./frequencies.ts";
import { display, nearest } from "../text/wording.ts";
import type { Dict } from "./values.ts";
import { given, refuse } from "./values.ts";

/** A setting as it is written, unchecked, and where it stands, for errors. A request is held to more than a checkpoint's config. */
export interface RawSetting {
  readonly where: string;
  readonly values: Dict;
  readonly request: boolean;
  /** Further names of types, beside their own. */
  readonly spellings?: Readonly<Record<string, RopeType>>;
}

interface Keys {
  readonly required: readonly string[];
  readonly optional: readonly string[];
}

/** Keys per type besides rope_type, type, rope_theta. yarn's factor may be null (then M / M0) but not absent. */
const KEYS: Readonly<Record<RopeType, Keys>> = {
  default: { required: [], optional: [] },
  linear: { required: ["factor"], optional: [] },
  ntk: { required: ["factor"], optional: [] },
  dynamic: { required: ["factor"], optional: [] },
  yarn: {
    required: ["factor"],
    optional: [
      "original_max_position_embeddings",
      "attention_factor",
      "beta_fast",
      "beta_slow",
      "mscale",
      "mscale_all_dim",
      "truncate",
    ],
  },
  longrope: {
    required: ["short_factor", "long_factor"],
    optional: ["original_max_position_embeddings", "factor", "attention_factor"],
  },
  llama3: {
    required: ["factor", "low_freq_factor", "high_freq_factor"],
    optional: ["original_max_position_embeddings"],
  },
  proportional: { required: [], optional: ["partial_rotary_factor", "factor"] },
};

/** Every type a request may name; `ntk` (θ' = θ · factor^(d/(d-2))) is llariat's own, the others are transformers'. */
export const ropeTypes = Object.keys(KEYS) as readonly RopeType[];

/** All keys a setting of this type may have. A request states M in the setting, a config beside it. */
const keysOf = (type: RopeType, request: boolean): string[] => {
  const { required, optional } = KEYS[type];
  return [...required, ...optional, "rope_theta", "rope_type", "type"].concat(request ? "max_position_embeddings" : []);
};

/**
 * Checks the names in a setting, not the values: a known type and no key missing; in a request also none unknown and none
 * of another type, which in a config are without effect, as in transformers. Returns the type and those.
 * @throws LlariatError("rope") with the nearest known name.
 */
export function checkNames(setting: RawSetting): { type: RopeType; ignored: string[] } {
  const { where, values, request } = setting;
  const type = typeOf(setting);
  const own = keysOf(type, request);
  const known = new Set(ropeTypes.flatMap((name) => keysOf(name, request)));
  const ignored: string[] = [];
  for (const [key, value] of Object.entries(values)) {
    if (own.includes(key) || value === undefined || (value === null && known.has(key))) continue;
    if (!request) {
      // What was trained is read for every type, also where the frequencies do not depend on it.
      if (key !== "original_max_position_embeddings") ignored.push(key);
      continue;
    }
    const keys = `keys of ${type}: ${own.join(", ")}`;
    if (!known.has(key)) refuse(where, `unknown key ${display(key)}${didYouMean(key, known)}; ${keys}`);
    const owners = ropeTypes.filter((name) => keysOf(name, request).includes(key));
    refuse(where, `${key} has no effect on type ${type}, it belongs to ${owners.join(", ")}; ${keys}`);
  }
  for (const key of KEYS[type].required)
    if (values[key] === undefined) {
      const meant = ignored.find((other) => nearest(other, [key]) !== undefined);
      const hint = meant === undefined ? "" : `; did you mean it by ${display(meant)}?`;
      refuse(where, `type ${type} needs ${key}, which is missing${hint}`);
    }
  if (!request && given(values, "rope_type") !== undefined && (given(values, "type") ?? type) !== type)
    ignored.push("type");
  return { type, ignored };
}

/**
 * The type a setting names: rope_type, else type, else default. In a request one of the two must be there, and both must
 * agree; a config with neither is `default` in transformers.
 */
function typeOf({ where, values, request, spellings = {} }: RawSetting): RopeType {
  const [newer, older] = [given(values, "rope_type"), given(values, "type")];
  if (request && newer !== undefined && older !== undefined && newer !== older)
    refuse(where, `rope_type is ${display(newer)} but type is ${display(older)}; give one of them`);
  const spelt = newer ?? older ?? (request ? undefined : "default");
  const type = typeof spelt === "string" && Object.hasOwn(spellings, spelt) ? spellings[spelt] : spelt;
  // In a config `ntk` would be unknown to transformers, and the file should mean the same everywhere.
  const known = request ? ropeTypes : ropeTypes.filter((name) => name !== "ntk");
  const found = known.find((name) => name === type);
  if (found) return found;
  const list = known.join(", ");
  if (type === undefined) return refuse(where, `has no type, for example type: "dynamic"; known types: ${list}`);
  if (typeof type !== "string") return refuse(where, `the type must be one of ${list}, got ${display(type)}`);
  return refuse(
    where,
    `unknown type ${display(type)}${ELSEWHERE.get(type) ?? didYouMean(type, known)}; known types: ${list}`,
  );
}

/** Type names that are met in the wild and need more than a spelling. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["su", `; it is a former name of longrope that transformers never knew for Llama, write "longrope"`],
  ["ntk", `; in a config write "default", with rope_theta multiplied by factor^(head_dim / (head_dim - 2))`],
]);

function didYouMean(name: string, known: Iterable<string>): string {
  const near = nearest(name, known);
  return near === undefined ? "" : `; did you mean "${near}"?`;
}
