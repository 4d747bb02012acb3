/** Moves of one plan that are in each other's way. */
import type { LookedAt } from "./plan-ends.js";
import { faultOf } from "./plan-order.js";
import type { MoveFault } from "./plan-types.js";

/** Of moves that are in one's way. */
const MOST_NAMES = 5;

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
  const waiting = new Waiting(pending);
  const sources = new Sources(pending);
  return [
    ...sameTargets(pending),
    ...takenSources(pending, sources, waiting),
    ...targetsThatAreSources(pending, sources, waiting),
  ];
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
function takenSources(
  looked: readonly LookedAt[],
  sources: Sources,
  waiting: Waiting,
): MoveFault[] {
  return looked.filter(takesSource).flatMap((one) => {
    const others: string[] = [];
    for (const other of sources.at(one.ends.source.key)) {
      if (other === one || waiting.waitsFor(one, other.name)) continue;
      others.push(others.length < MOST_NAMES ? other.name : "others");
      if (others.length > MOST_NAMES) break;
    }
    if (others.length === 0) return [];
    const names = others.join(", ");
    const action = one.move.options?.deleteSource ? "removes" : "renames";
    const message = `it ${action} its source ${one.move.source}, which is the source of ${names}, too`;
    const hint = "only a move that waits for the others may take the source away";
    return [faultOf(one.move, "ERR_INVALID_ARGUMENT", message, hint)];
  });
}

function targetsThatAreSources(
  looked: readonly LookedAt[],
  sources: Sources,
  waiting: Waiting,
): MoveFault[] {
  return looked.flatMap((one) => {
    const other = sources.at(one.ends.target.key).find((found) => found !== one);
    if (other === undefined) return [];
    const isThere = other.plan?.size !== undefined;
    const [late, early] = isThere ? [one, other] : [other, one];
    if (waiting.waitsFor(late, early.name)) return [];
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

/** Moves by what their sources are: a plan may have thousands. */
class Sources {
  readonly #byKey = new Map<string, LookedAt[]>();

  constructor(looked: readonly LookedAt[]) {
    for (const one of looked) {
      const { key } = one.ends.source;
      if (key === undefined) continue;
      const known = this.#byKey.get(key);
      if (known === undefined) this.#byKey.set(key, [one]);
      else known.push(one);
    }
  }

  at(key: string | undefined): readonly LookedAt[] {
    return (key === undefined ? undefined : this.#byKey.get(key)) ?? [];
  }
}

/** Which moves are begun only after which others were done. */
class Waiting {
  readonly #places = new Map<string, number>();
  readonly #needs: readonly (readonly number[])[];
  /** Of each move the number of the question in which it was found last: thousands may be asked about thousands. */
  readonly #found: Uint32Array;
  #question = 0;
  #of: LookedAt | undefined;

  constructor(looked: readonly LookedAt[]) {
    // Of those that share a name, the first is meant.
    for (const [index, { name }] of looked.entries()) {
      if (!this.#places.has(name)) this.#places.set(name, index);
    }
    this.#needs = looked.map(({ needs }) => this.#placesOf(needs));
    this.#found = new Uint32Array(looked.length);
  }

  waitsFor(one: LookedAt, name: string): boolean {
    if (this.#of !== one) this.#findAllThat(one);
    const place = this.#places.get(name);
    return place !== undefined && this.#found[place] === this.#question;
  }

  #findAllThat(one: LookedAt): void {
    this.#of = one;
    this.#question += 1;
    const left = this.#placesOf(one.needs);
    for (let place = left.pop(); place !== undefined; place = left.pop()) {
      if (this.#found[place] === this.#question) continue;
      this.#found[place] = this.#question;
      for (const further of this.#needs[place] ?? []) left.push(further);
    }
  }

  #placesOf(names: readonly string[]): number[] {
    return names.flatMap((name) => this.#places.get(name) ?? []);
  }
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
