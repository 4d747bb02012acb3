/** Tests that not every machine can run: where one cannot, it is skipped with a reason, which the run's end repeats. */
import { describe, it } from "vitest";

export const isRoot = process.geteuid?.() === 0;

/** What only root may do. */
export const needsRoot = isRoot ? undefined : "only root may do what it does";

/**
 * @param missing what this machine lacks, in words; undefined where it lacks nothing
 */
export function itWhere(missing: string | undefined): typeof it {
  if (missing === undefined) return it;
  const skipped = (name: string) => it(name, ({ skip }) => skip(missing));
  return skipped as unknown as typeof it;
}

/** A group of tests; where it cannot be run, one test stands for all of it. */
export function describeWhere(missing: string | undefined, name: string, body: () => void): void {
  if (missing === undefined) describe(name, body);
  else describe(name, () => void itWhere(missing)("all of it"));
}
