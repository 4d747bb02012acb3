/** Moves of one plan that are in each other's way. */
import type { LookedAt } from "./plan-ends.js";
import { faultOf } from "./plan-order.js";
import type { MoveFault } from "./plan-types.js";

/** Whether nothing is under the source's name any more when the move is done. */
export function freesSource({ move, ends }: Pick<LookedAt, "move" | "ends">): boolean {
  const { rename, deleteSource } = move.options ?? {};
  const { source, target } = ends;
  // Within one backend, a rename gives the name to the target at once.
  if (rename) return source.key === undefined || source.key !== target.key;
  return deleteSource === true;
}

/** Whether the source is gone, or has another name, when the move is done. */
function takesSource({ move: { options = {} } }: LookedAt): boolean {
  return options.deleteSource === true || options.rename === true;
}

/** Faults that no move has by itself. What was done before is in nobody's way. */
export function conflictsOf(looked: readonly LookedAt[]): MoveFault[] {
  const pending = looked.filter(({ earlier }) => earlier?.state !== "done");
  return [...sameTargets(pending), ...takenSources(pending), ...targetsThatAreSources(pending)];
}

function sameTargets(looked: readonly LookedAt[]): MoveFault[] {
  return laterOnes(looked, ({ ends }) => ends.target.key).map(([one, first]) =>
    faultOf(
      one.move,
      "ERR_INVALID_ARGUMENT",
      `its target ${one.target} is the target of ${first.name}, too`,
      "name another target for one of them",
    ),
  );
}

/** A source may be copied by others before it is taken away. */
function takenSources(looked: readonly LookedAt[]): MoveFault[] {
  return looked.filter(takesSource).flatMap((one) => {
    const { key } = one.ends.source;
    const others = looked.filter(
      (other) =>
        other !== one &&
        key !== undefined &&
        other.ends.source.key === key &&
        !waitsFor(one, other.name, looked),
    );
    if (others.length === 0) return [];
    const names = others.map(({ name }) => name).join(", ");
    const action = one.move.options?.deleteSource ? "removes" : "renames";
    const message = `it ${action} its source ${one.move.source}, which is the source of ${names}, too`;
    const hint = "only a move that waits for the others may take the source away";
    return [faultOf(one.move, "ERR_INVALID_ARGUMENT", message, hint)];
  });
}

function targetsThatAreSources(looked: readonly LookedAt[]): MoveFault[] {
  return looked.flatMap((one) => {
    const other = sourceAt(one, looked);
    if (other === undefined) return [];
    const isThere = other.plan?.size !== undefined;
    const [late, early] = isThere ? [one, other] : [other, one];
    if (waitsFor(late, early.name, looked)) return [];
    const message = isThere
      ? `its target ${one.target} is the source of ${other.name}, which it does not wait for`
      : `its source ${other.move.source} is the target of ${one.name}, which it does not wait for`;
    const hint =
      isThere && !freesSource(other)
        ? "name another target: that source stays"
        : `say \`after: [${early.name}]\``;
    return [faultOf(late.move, "ERR_INVALID_ARGUMENT", message, hint)];
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
 * Whether what is in the way of a move now will not be when its turn comes: another move takes away what has
 * its target's name, or makes its source. That it has to wait for that one is said elsewhere.
 */
export function clearsLater(
  { code, side }: { readonly code: string; readonly side: string | undefined },
  one: LookedAt,
  looked: readonly LookedAt[],
): boolean {
  if (code === "ERR_EXISTS") {
    const other = sourceAt(one, looked);
    return other !== undefined && freesSource(other);
  }
  if (code !== "ERR_NOT_FOUND" || side === "target") return false;
  return looked.some((other) => other !== one && other.ends.target.key === one.ends.source.key);
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

/** Those that are not the first of their key, and that first one. */
function laterOnes(
  looked: readonly LookedAt[],
  keyOf: (one: LookedAt) => string | undefined,
): (readonly [LookedAt, LookedAt])[] {
  const firsts = new Map<string, LookedAt>();
  return looked.flatMap((one) => {
    const key = keyOf(one);
    const first = key === undefined ? undefined : firsts.get(key);
    if (key !== undefined && first === undefined) firsts.set(key, one);
    return first === undefined ? [] : [[one, first] as const];
  });
}
