// python.ts — CPython's random.Random started by a text, bit by bit, so that the prompts of models/train/tasks.py can be made
// here again: rates are then compared on the very prompts that transformers was asked.
import { createHash } from "node:crypto";

const [N, M] = [624, 397];

/** The Mersenne Twister MT19937 (Matsumoto & Nishimura 1998) as CPython seeds and reads it. */
export class PythonRandom {
  readonly #state = new Uint32Array(N);
  #next = N;

  /** As `random.Random(text)`: version 2 seeding, the text's UTF-8 bytes and their SHA-512 as one big number. */
  constructor(text: string) {
    const bytes = Buffer.from(text, "utf8");
    const number = Buffer.concat([bytes, createHash("sha512").update(bytes).digest()]);
    const words = Uint32Array.from({ length: Math.ceil(number.length / 4) }, (_, i) => {
      const end = number.length - 4 * i;
      return number.subarray(Math.max(0, end - 4), end).reduce((word, byte) => word * 256 + byte, 0);
    });
    this.#seed(words);
  }

  /** init_by_array of the reference implementation. */
  #seed(key: Uint32Array): void {
    const state = this.#state;
    state[0] = 19_650_218;
    for (let i = 1; i < N; i++) state[i] = Math.imul(1_812_433_253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    let i = 1;
    const mixed = (factor: number): number => state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), factor);
    const step = (): void => {
      if (++i < N) return;
      state[0] = state[N - 1];
      i = 1;
    };
    for (let k = 0; k < Math.max(N, key.length); k++) {
      const j = k % key.length;
      state[i] = mixed(1_664_525) + key[j] + j;
      step();
    }
    for (let k = 1; k < N; k++) {
      state[i] = mixed(1_566_083_941) - i;
      step();
    }
    state[0] = 0x80000000;
  }

  #word(): number {
    const state = this.#state;
    if (this.#next === N) {
      for (let k = 0; k < N; k++) {
        const y = (state[k] & 0x80000000) | (state[(k + 1) % N] & 0x7fffffff);
        state[k] = state[(k + M) % N] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.#next = 0;
    }
    let y = state[this.#next++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** getrandbits(bits), 1 to 32. */
  bits(bits: number): number {
    return this.#word() >>> (32 - bits);
  }

  /** getrandbits(128), as its four words, the most significant first. */
  bits128(): number[] {
    return Array.from({ length: 4 }, () => this.#word()).reverse();
  }

  /** randrange(limit). */
  below(limit: number): number {
    const bits = 32 - Math.clz32(limit);
    let value = this.bits(bits);
    while (value >= limit) value = this.bits(bits);
    return value;
  }
}
