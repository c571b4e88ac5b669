// A device that is lost at any moment: everybody goes on with exactly the tokens they have without it, in bounded tries, and
// nothing is left on any device. Without a GPU: a lost engine's slots hold nothing, so whatever is taken from them shows.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Placement, type PlacementWay, type Reload } from "../../src/engine/placement.ts";
import { Scheduler } from "../../src/engine/scheduler.ts";
import { LlariatError } from "../../src/error.ts";
import { PoolEngine, type Text, VOCAB, expected, generate, ropes } from "../tools/pool.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld } from "../tools/steps.ts";

const test = suite("placement");
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const text = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, i) => (i * i * 7 + i * 31 + seed * 13) % VOCAB);

/** Waits, turn by turn, until something is so. */
async function until(so: () => boolean): Promise<void> {
  for (let turns = 0; !so(); turns++) {
    assert.ok(turns < 10_000, `never: ${String(so)}`);
    await turn();
  }
}

/** Texts of all kinds: fixed frequencies, and such that follow the length under every meaning. */
const kinds: readonly Text[] = [
  { prompt: text(50), count: 40 },
  { prompt: text(90, 3), count: 33, rope: ropes.dynamic, meaning: "current" },
  { prompt: text(61, 4), count: 60, rope: ropes.dynamic, meaning: "as-inserted" },
  { prompt: text(100, 6), count: 20, rope: ropes.dynamic },
];

/** Tries that these placements have in a row. */
const TRIES = 3;

/** When the loss is told: before what it breaks fails, or after. */
type Told = "before" | "after";

/** An engine that can be lost. */
class Losable extends PoolEngine {
  readonly gpu = { close: () => void (this.closed = true) };
  closed = false;
}

/** Devices that are opened one after another, and what is on them. `moment` is called wherever one could be lost. */
class Devices {
  readonly pages: number;
  readonly rows: number;
  readonly window: number | undefined;
  readonly reloads: Reload[] = [];
  /** Opened and not released. */
  readonly open = new Set<object>();
  opened = 0;
  engine!: Losable;
  moment: (where: string) => void = () => {};
  /** Awaited while a device is opened. */
  opening: () => Promise<void> = turn;
  #lose: (() => void) | undefined;
  #broken = false;

  constructor(pages = 1000, rows = 40, window?: number) {
    [this.pages, this.rows, this.window] = [pages, rows, window];
  }

  /** Loses the device of now: what it holds is gone. */
  lose(told: Told = "before"): void {
    const lose = this.#lose;
    this.#broken = true;
    this.engine?.device.slots.fill(NaN);
    if (told === "before") lose?.();
    else void turn().then(turn).then(lose);
  }

  /** Loses it, and throws what that breaks. */
  fail(told: Told = "before"): never {
    this.lose(told);
    throw told === "before" ? new LlariatError("device", "GPU error") : new Error("OperationError");
  }

  get way(): PlacementWay<Losable> {
    return {
      open: async () => {
        this.opened++;
        await this.opening();
        this.#broken = false;
        const [key, message] = [{}, `loss ${this.opened}`];
        this.open.add(key);
        const lost = new Promise<GPUDeviceLostInfo>(
          (resolve) => (this.#lose = () => resolve({ reason: "unknown", message } as GPUDeviceLostInfo)),
        );
        const device = { lost } as GPUDevice;
        return { device, notes: [`device ${this.opened}`], release: () => void this.open.delete(key) };
      },
      load: async () => {
        const { pageBytes } = new PoolEngine().memory.kv;
        const engine = new Losable({ maxKvBytes: this.pages * pageBytes, rows: this.rows, window: this.window });
        this.#watch(engine);
        this.engine = engine;
        this.moment("load");
        await turn();
        this.moment("load");
        return { engine, notes: ["loaded"] };
      },
      onReload: (reload) => void this.reloads.push(reload),
      pauses: Array.from({ length: TRIES }, (_, i) => Math.min(i, 1)),
    };
  }

  /** What a broken device is asked for fails, or gives nothing, as on a GPU. */
  #watch(engine: Losable): void {
    const check = (where: string): void => {
      if (this.#broken) throw new LlariatError("device", "it is lost");
      this.moment(where);
    };
    const step = engine.step.bind(engine);
    engine.before = () => check("compile");
    engine.device.during = () => check("memory");
    engine.step = async (segments) => {
      const rows = segments.reduce((sum, { outputs }) => sum + outputs.length, 0);
      const result = step(segments); // what is submitted counts as computed, whatever becomes of it
      check("step");
      const outputs = await result;
      if (rows > 0) check("read"); // what nobody reads does not fail
      return outputs;
    };
  }

  async scheduler(): Promise<{ scheduler: Scheduler<Losable>; placement: Placement<Losable> }> {
    const placement = new Placement(this.way);
    return { scheduler: new Scheduler(await placement.open(), placement), placement };
  }

  /** Nothing is held of the last engine, and all devices before it are released. */
  nothingLeft(scheduler: Scheduler<Losable>, what: string): void {
    assert.is(scheduler.engine, this.engine, what);
    nothingHeld(this.engine.memory, what);
    assert.is(this.open.size, 1, `${what}: devices that are not released`);
  }
}

test("random losses at random moments, also while it is opened again: exact tokens, nothing left", async () => {
  let losses = 0;
  const phases = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const below = whole(seed);
    const window = below(4) === 0 ? 2 + below(80) : undefined;
    const devices = new Devices(6 + below(20), 1 + below(60), window);
    const often = [0, 1, 2][below(3)];
    let [next, failed] = [below(60), 0];
    devices.moment = (where) => {
      if (next-- > 0) failed = where === "read" ? 0 : failed;
      else if (failed++ < TRIES) {
        next = below(where === "load" ? 9 : 120);
        losses++;
        phases.add(where);
        devices.fail(below(2) === 0 ? "before" : "after");
      }
    };
    devices.opening = async () => {
      if (failed === 0 || failed >= TRIES || below(3) >= often) return turn();
      failed++;
      throw new LlariatError("device", "no adapter");
    };
    const { scheduler, placement } = await devices.scheduler();
    const jobs = Array.from({ length: 1 + below(6) }, async () => {
      for (let i = below(20); i > 0; i--) await turn();
      const kind = kinds[below(kinds.length)];
      const own = { ...kind, prompt: kind.prompt.slice(0, 1 + below(kind.prompt.length)), shared: below(3) > 0 };
      const leaves = below(4) === 0 ? 1 + below(own.count) : Infinity;
      const got = await generate(scheduler, own, (_, tokens) => tokens.length < leaves).done;
      assert.equal(got, expected(own, window).slice(0, Math.min(own.count, leaves)), `seed ${seed}`);
    });
    if (below(3) === 0) jobs.push(scheduler.between(() => scheduler.engine.memory.trim()));
    await Promise.all(jobs);
    devices.moment = () => {};
    await scheduler.between(() => scheduler.engine.memory.trim());
    devices.nothingLeft(scheduler, `seed ${seed}`);
    assert.equal([devices.engine.memory.kv.pages, devices.engine.memory.prefixes.idle], [0, 0], `seed ${seed}`);
    placement.close();
    assert.is(devices.open.size, 0, `seed ${seed}`);
  }
  assert.ok(losses > 200, `${losses} losses`);
  assert.equal([...phases].sort(), ["compile", "load", "memory", "read", "step"]);
});

test("every try is announced with its reason; when all have failed requests are told, and a later one tries again", async () => {
  const devices = new Devices();
  const { scheduler, placement } = await devices.scheduler();
  devices.opening = () => Promise.reject(new LlariatError("device", "no adapter"));
  const resting = scheduler.open({ capacity: 30, rope: ropes.fixed, meaning: "planned", planned: 30 });
  await resting.feed(text(9));
  const [a, b] = [generate(scheduler, kinds[0]), generate(scheduler, kinds[1])];
  const trimmed = scheduler.between(async () => devices.fail("after"));
  const failed = await refused(
    a.done,
    "device",
    "the GPU device was lost and did not come back in 3 tries: no adapter; try again later, or load the model on another adapter",
  );
  assert.is((failed.cause as Error).message, "no adapter");
  assert.is(await b.done.catch((error: unknown) => error), failed);
  assert.is(await trimmed.catch((error: unknown) => error), failed);
  assert.equal(devices.reloads, [
    { reason: "loss 1", attempt: 1 },
    { reason: "no adapter", attempt: 2 },
    { reason: "no adapter", attempt: 3 },
  ]);
  assert.is(devices.open.size, 0);
  assert.equal([placement.lost, placement.adapter, placement.notes], [true, undefined, []]);
  devices.opening = turn;
  devices.reloads.length = 0;
  const [row] = await resting.feed(text(21, 2));
  assert.equal((row as Float32Array)[0], expected({ prompt: [...text(9), ...text(21, 2)], count: 1 })[0]);
  resting.close();
  assert.equal(devices.reloads, [{ reason: "no adapter", attempt: 1 }]);
  assert.equal(placement.notes, ["device 5", "loaded"]);
  devices.nothingLeft(scheduler, "again");
});

test("losses without anything computed between them end; each that comes after progress has all tries", async () => {
  const devices = new Devices();
  const { scheduler } = await devices.scheduler();
  devices.moment = (where) => {
    if (where === "step") devices.fail();
  };
  await refused(
    generate(scheduler, kinds[0]).done,
    "device",
    /^the GPU device was lost and did not come back in 3 tries: loss 4/,
  );
  assert.equal(
    devices.reloads.map(({ attempt }) => attempt),
    [1, 2, 3],
  );
  let reads = 0;
  devices.moment = (where) => {
    if (where === "read") reads++;
    else if (where === "step" && reads === 2) {
      reads = 0;
      devices.fail();
    }
  };
  devices.reloads.length = 0;
  assert.equal(await generate(scheduler, kinds[0]).done, expected(kinds[0]));
  assert.ok(devices.reloads.length > 10, `${devices.reloads.length} losses`);
  assert.ok(devices.reloads.slice(1).every(({ attempt }) => attempt === 1));
});

test("without a way to go on, and for errors of a living device, an error is the request's own", async () => {
  const devices = new Devices();
  const placement = new Placement({ ...devices.way, onReload: undefined });
  const plain = new Scheduler(await placement.open());
  devices.moment = (where) => {
    if (where === "step") devices.fail();
  };
  await refused(generate(plain, kinds[0]).done, "device", "GPU error");
  assert.equal(devices.opened, 1);
  const other = new Devices();
  const { scheduler } = await other.scheduler();
  let [failed, error] = [false, new LlariatError("kernel", "wrong") as Error];
  other.moment = (where) => {
    if (where !== "step" || failed) return;
    failed = true;
    throw error;
  };
  const b = generate(scheduler, kinds[1]);
  assert.is(await b.done.catch((reason: unknown) => reason), error);
  [failed, error] = [false, new LlariatError("context", "too long")];
  assert.is(await generate(scheduler, kinds[1]).done.catch((reason: unknown) => reason), error);
  assert.equal(await generate(scheduler, kinds[1]).done, expected(kinds[1]));
  assert.equal([other.opened, other.reloads], [1, []]);
  const work = scheduler.between(() => Promise.reject(error));
  assert.is(await work.catch((reason: unknown) => reason), error);
});

test("the first load: a loss is tried again, what else fails is thrown as it is", async () => {
  const devices = new Devices();
  let losses = 2;
  devices.moment = (where) => {
    if (where === "load" && losses-- > 0) devices.fail(losses === 1 ? "before" : "after");
  };
  const { scheduler } = await devices.scheduler();
  assert.equal(devices.reloads, [
    { reason: "loss 1", attempt: 1 },
    { reason: "loss 2", attempt: 2 },
  ]);
  devices.nothingLeft(scheduler, "after the first load");
  for (const error of [new LlariatError("device", "out of memory"), new LlariatError("checkpoint", "NaN")]) {
    const broken = new Devices();
    broken.moment = () => {
      throw error;
    };
    assert.is(await broken.scheduler().catch((reason: unknown) => reason), error);
    assert.equal([broken.reloads, broken.open.size], [[], 0]);
  }
  const words = new Devices();
  words.opening = () => (words.opened === 2 ? Promise.reject("no\x1bwords") : turn());
  const again = await words.scheduler();
  words.lose();
  assert.equal(await generate(again.scheduler, kinds[0]).done, expected(kinds[0]));
  assert.is(words.reloads.at(-1)!.reason, String.raw`"no\u001bwords"`);
  const lost = new Devices();
  lost.moment = () => lost.fail();
  const placement = new Placement({ ...lost.way, onReload: undefined });
  await refused(placement.open(), "device", "GPU error");
  assert.equal([lost.opened, lost.open.size], [1, 0]);
  const stopped = new AbortController();
  const stubborn = new Devices();
  stubborn.moment = () => {
    stopped.abort();
    stubborn.fail();
  };
  await refused(new Placement(stubborn.way).open(stopped.signal), "device", "GPU error");
  assert.equal([stubborn.reloads, stubborn.open.size], [[], 0]);
});

test("close and abort end at once, wherever a reload is; nothing stays open", async () => {
  for (const where of ["opening", "loading", "waiting"]) {
    const devices = new Devices();
    const placement = new Placement({ ...devices.way, pauses: [where === "waiting" ? 600_000 : 0] });
    const scheduler = new Scheduler(await placement.open(), placement);
    let [go, here] = [() => {}, false];
    const gate = new Promise<void>((resolve) => (go = resolve));
    devices.opening = () => ((here = where !== "loading"), where === "opening" ? gate : turn());
    devices.moment = (at) => {
      if (at === "load") here = true;
      if (at === "read") devices.fail();
    };
    const abort = new AbortController();
    const sequence = scheduler.open({ capacity: 20, rope: ropes.fixed, meaning: "planned", planned: 20 });
    const aborted = refused(sequence.feed(text(20), { signal: abort.signal }), "aborted");
    const ended = refused(generate(scheduler, kinds[0]).done, "closed");
    await until(() => here || (where === "waiting" && devices.reloads.length > 0));
    const work = refused(scheduler.between(turn), "closed");
    abort.abort();
    await aborted;
    placement.close();
    scheduler.end(new LlariatError("closed", "closed"));
    let over = false;
    void Promise.all([ended, work]).then(() => (over = true));
    await until(() => over);
    go();
    await until(() => devices.engine.closed && devices.open.size === 0);
    for (let i = 0; i < 5; i++) await turn();
    assert.equal([devices.open.size, devices.reloads.length], [0, 1], where);
    assert.is(devices.opened, where === "waiting" ? 1 : 2, where);
  }
});

test("what onReload throws ends the tries, and is what the requests get", async () => {
  const devices = new Devices();
  const error = new RangeError("enough");
  const placement = new Placement({
    ...devices.way,
    onReload: () => {
      throw error;
    },
  });
  const scheduler = new Scheduler(await placement.open(), placement);
  devices.moment = (where) => {
    if (where === "read") devices.fail();
  };
  assert.is(await generate(scheduler, kinds[0]).done.catch((reason: unknown) => reason), error);
  assert.is(devices.opened, 1);
});

test("positions with gaps come again as they were, run by run", async () => {
  const devices = new Devices(1000, 4);
  const { scheduler } = await devices.scheduler();
  const runs = [5, 100, 1000];
  const sequence = scheduler.open({ capacity: 18, rope: ropes.fixed, meaning: "planned", planned: 2000, gaps: true });
  let positions: number[] = [];
  devices.moment = (where) => {
    if (where !== "step") return;
    const { count } = devices.engine.steps.at(-1)!.find((each) => each.sequence === sequence)!;
    for (let i = count; i > 0; i--) positions.push(sequence.length - i + sequence.angles.offset);
  };
  for (const [i, first] of runs.entries()) {
    sequence.at(first);
    if (i === runs.length - 1) {
      positions = [];
      devices.lose();
    }
    await sequence.feed(text(6, i + 1), { rows: "all" });
  }
  assert.equal(
    positions,
    runs.flatMap((first) => Array.from({ length: 6 }, (_, i) => first + i)),
  );
  sequence.close();
  devices.nothingLeft(scheduler, "gaps");
});

test("no rejection was left to nobody", () => assert.equal(unhandled, []));

test.run();
