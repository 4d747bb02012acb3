/** Looks at all that a plan names, before anything is touched. */
import type { Backend } from "../backends.js";
import { BlockhaulError, toBlockhaulError } from "../errors.js";
import { mapAtMost } from "../map-at-most.js";
import { clearsLater, conflictsOf } from "./plan-conflicts.js";
import type { LookedAt, MoveEnd } from "./plan-ends.js";
import { faultOf, nameOfMove, orderOf } from "./plan-order.js";
import { spaceFaults, spaceOf } from "./plan-space.js";
import type {
  CheckedPlan,
  EarlierMigration,
  ManyPlan,
  Move,
  MoveFault,
  ReadPlan,
} from "./plan-types.js";
import type { MigrateOptions, MigrationPlan } from "./types.js";

/** What is asked of migrations in order to check a plan. */
export interface PlanChecks {
  /** What `planMigration` finds. */
  plan(source: string, target: string, options: MigrateOptions): Promise<MigrationPlan>;
  endOf(ref: string): Promise<MoveEnd>;
  /** What an earlier run left of a migration between two ends. */
  find(source: MoveEnd, target: MoveEnd): Promise<EarlierMigration | undefined>;
  readonly onLook?: ((looked: number, moves: number) => void) | undefined;
}

/** Volumes that are looked at at once. */
const LOOKS = 8;
/** The share that every move takes. */
export const ALL = "all";

/** All that is wrong with a plan, and all that is known of each move. */
export async function checkMoves(plan: ManyPlan, checks: PlanChecks): Promise<CheckedPlan> {
  // Not before a plan is checked: a copy is to load no schemas.
  const { faultsOfObject } = await import("./plan-file.js");
  const ofShape = faultsOfObject(plan);
  const { faults: ofFile = [] } = (plan ?? {}) as Partial<ReadPlan>;
  if (ofShape.length > 0) {
    // What nobody can read says nothing that could be looked at.
    const faults = [...ofFile, ...ofShape];
    return { moves: [], faults, continueOnError: false, shares: new Map() };
  }
  const order = orderOf(plan);
  let count = 0;
  const looked = await mapAtMost(LOOKS, plan.moves, async (move, index) => {
    const found = await lookAt(move, order.needs[index] ?? [], checks);
    count += 1;
    checks.onLook?.(count, plan.moves.length);
    return found;
  });
  const ofMoves = [...order.faults, ...conflictsOf(looked), ...spaceFaults(looked)];
  const common = ofMoves.filter(({ move }) => move === undefined);
  const byMove = new Map<string, MoveFault[]>();
  for (const fault of ofMoves) {
    const key = `${fault.at} ${fault.move}`;
    const known = byMove.get(key);
    if (known === undefined) byMove.set(key, [fault]);
    else known.push(fault);
  }
  const own = looked.flatMap((one) => [
    ...(byMove.get(`${one.move.at} ${one.name}`) ?? []),
    ...one.problems
      .filter((problem) => !clearsLater(problem, one, looked))
      .map(({ code, message, hint }) => faultOf(one.move, code, message, hint)),
  ]);
  return {
    moves: looked,
    faults: [...ofFile, ...common, ...new Set(own)],
    continueOnError: plan.continueOnError ?? false,
    shares: sharesOf(plan, looked),
  };
}

async function lookAt(move: Move, needs: readonly string[], checks: PlanChecks): Promise<LookedAt> {
  const { source, options = {} } = move;
  let plan: MigrationPlan | undefined;
  let failure: BlockhaulError | undefined;
  try {
    plan = await checks.plan(source, move.target, options);
  } catch (thrown) {
    failure = toBlockhaulError(thrown);
  }
  const target = plan?.target ?? move.target;
  const ends = { source: await checks.endOf(source), target: await checks.endOf(target) };
  const earlier = await checks.find(ends.source, ends.target);
  const backends = [ends.source.backend, ends.target.backend].filter((one) => one !== undefined);
  return {
    name: nameOfMove(move),
    move,
    target,
    needs,
    plan,
    earlier,
    space: earlier === undefined ? spaceOf(plan) : 0,
    bandwidthLimit: bandwidthOf(move, backends),
    shares: sharesOfMove(move, ends.source, backends),
    ends,
    problems: problemsOf(failure === undefined ? (plan?.problems ?? []) : [failure], earlier),
  };
}

/** What an earlier run made is in the way of a new migration, not of that one. */
function problemsOf(
  found: readonly BlockhaulError[],
  earlier: EarlierMigration | undefined,
): readonly BlockhaulError[] {
  if (earlier === undefined) return found;
  if (earlier.state !== "running") return [];
  const message = `migration ${earlier.id} between these two runs in another process`;
  return [new BlockhaulError("ERR_IN_USE", { message, hint: "wait for it, or stop it" })];
}

/** The smallest of what is given; 0: no limit. */
function bandwidthOf({ options = {} }: Move, backends: readonly Backend[]): number {
  const limits = [options.bandwidthLimit, ...backends.map(({ limits }) => limits.bandwidth)];
  const given = limits.map((limit) => Number(limit ?? 0)).filter((limit) => limit > 0);
  return given.length === 0 ? 0 : Math.min(...given);
}

function sharesOfMove(
  { group }: Move,
  source: MoveEnd,
  backends: readonly Backend[],
): readonly string[] {
  const names = [
    ALL,
    ...(group === undefined ? [] : [`group ${group}`]),
    ...backends.map(({ name }) => `backend ${name}`),
    // A source is frozen for one migration at a time.
    ...(source.key === undefined ? [] : [`source ${source.key}`]),
  ];
  return [...new Set(names)];
}

function sharesOf(
  { parallel = 1, groups = {} }: ManyPlan,
  looked: readonly LookedAt[],
): Map<string, number> {
  const shares = new Map<string, number>([[ALL, parallel]]);
  for (const [name, group] of Object.entries(groups)) {
    if (group.parallel !== undefined) shares.set(`group ${name}`, group.parallel);
  }
  for (const { ends } of looked) {
    if (ends.source.key !== undefined) shares.set(`source ${ends.source.key}`, 1);
    for (const { backend } of [ends.source, ends.target]) {
      const limit = backend?.limits.parallel;
      if (backend !== undefined && limit !== undefined)
        shares.set(`backend ${backend.name}`, limit);
    }
  }
  return shares;
}

export function isParallel(limit: number): boolean {
  return Number.isInteger(limit) && limit >= 1 && limit <= 64;
}
