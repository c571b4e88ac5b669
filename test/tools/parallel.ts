// parallel.ts — work on a list, several items at once.

/**
 * Works on the items in order, `jobs` at a time, and resolves when all are done. The work must not throw.
 * @throws where `jobs` is no whole number ≥ 1, rather than to work on nothing.
 */
export async function inParallel<T>(
  items: readonly T[],
  jobs: number,
  work: (item: T, job: number) => Promise<void>,
): Promise<void> {
  if (!Number.isSafeInteger(jobs) || jobs < 1) throw new Error(`--jobs needs a whole number ≥ 1, got ${jobs}`);
  const queue = [...items];
  const lane = async (_: unknown, job: number): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item, job);
  };
  await Promise.all(Array.from({ length: jobs }, lane));
}
