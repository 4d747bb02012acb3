/** Moves of one plan that are in each other's way. */
import type { LookedAt } from "./plan-ends.js";
import { faultOf } from "./plan-order.js";
import type { MoveFault } from "./plan-types.js";

/** Whether nothing is under the source's name any more when the move is done. */
export function freesSource({ move: { options = {} } }: Pick<LookedAt, "move">): boolean {
  return options.deleteSource === true || options.rename === true;
}

/** Faults that no move has by itself. What was done before is in nobody's way. */
export function conflictsOf(looked: readonly LookedAt[]): MoveFault[] {
  const pending = looked.filter(({ earlier }) => earlier?.state !== "done");
  return [...sameTargets(pending), ...takenSources(pending), ...targetsThatAreSources(pending)];
}

function sameTargets(looked: readonly LookedAt[]): MoveFault[] {
  return laterOnes(looked, ({ ends }) => ends.target.key).map(([one, [first]]) =>
    faultOf(
      one.move,
      "ERR_INVALID_ARGUMENT",
      `its target ${one.target} is the target of ${first.name}, too`,
      "name another target for one of them",
    ),
  );
}

function takenSources(looked: readonly LookedAt[]): MoveFault[] {
  return laterOnes(looked, ({ ends }) => ends.source.key).flatMap(([one, all]) => {
    const taker = all.find(freesSource);
    if (taker === undefined) return [];
    const what = taker.move.options?.deleteSource ? "removed" : "renamed";
    const message = `its source ${one.move.source} is moved by ${all[0].name}, too, and ${what} by ${taker.name}`;
    return [faultOf(one.move, "ERR_INVALID_ARGUMENT", message)];
  });
}

function targetsThatAreSources(looked: readonly LookedAt[]): MoveFault[] {
  return looked.flatMap((one) => {
    const other = sourceAt(one, looked);
    if (other === undefined || waitsFor(one, other.name, looked)) return [];
    const message = `its target ${one.target} is the source of ${other.name}, which it does not wait for`;
    const hint = freesSource(other)
      ? `say \`after: [${other.name}]\``
      : "name another target: that source stays";
    return [faultOf(one.move, "ERR_INVALID_ARGUMENT", message, hint)];
  });
}

/** Another move whose source has the name that this one's target is to have. */
function sourceAt(one: LookedAt, looked: readonly LookedAt[]): LookedAt | undefined {
  const { key } = one.ends.target;
  return looked.find(
    (other) => other !== one && key !== undefined && other.ends.source.key === key,
  );
}

/**
 * Whether what is in the way of a move now will not be when its turn comes: an earlier move takes away what has
 * its target's name, or makes its source.
 */
export function clearsLater(
  { code, side }: { readonly code: string; readonly side: string | undefined },
  one: LookedAt,
  looked: readonly LookedAt[],
): boolean {
  if (code === "ERR_EXISTS") {
    const other = sourceAt(one, looked);
    // Where it does not wait for that one, this alone is said.
    return other !== undefined && freesSource(other);
  }
  if (code !== "ERR_NOT_FOUND" || side === "target") return false;
  return looked.some(
    (other) =>
      other !== one &&
      other.ends.target.key === one.ends.source.key &&
      waitsFor(one, other.name, looked),
  );
}

/** Whether a move is begun only after another was done. */
function waitsFor(one: LookedAt, name: string, looked: readonly LookedAt[]): boolean {
  const seen = new Set<string>();
  const visit = (needs: readonly string[]): boolean =>
    needs.some((need) => {
      if (need === name) return true;
      if (seen.has(need)) return false;
      seen.add(need);
      return visit(looked.find((other) => other.name === need)?.needs ?? []);
    });
  return visit(one.needs);
}

type Several = readonly [LookedAt, ...LookedAt[]];

/** Those that are not the first of their key, and all of that key. */
function laterOnes(
  looked: readonly LookedAt[],
  keyOf: (one: LookedAt) => string | undefined,
): (readonly [LookedAt, Several])[] {
  const groups = new Map<string, [LookedAt, ...LookedAt[]]>();
  for (const one of looked) {
    const key = keyOf(one);
    if (key === undefined) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()].flatMap((group) =>
    group.slice(1).map((one) => [one, group] as const),
  );
}
