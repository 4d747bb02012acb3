/** Which move of a plan has to wait for which. */
import type { ErrorCode } from "../error-codes.js";
import type { ManyPlan, Move, MoveFault, ReadPlan } from "./plan-types.js";

export function nameOfMove({ name, source }: Move): string {
  return name ?? source;
}

/** A fault of one move, or, without one, of the plan. */
export function faultOf(
  move: Move | undefined,
  code: ErrorCode,
  message: string,
  hint?: string,
): MoveFault {
  const name = move === undefined ? undefined : nameOfMove(move);
  return { move: name, at: move?.at, code, message, hint };
}

/** The order of a plan: what each move waits for, by its index, and what makes no order. */
export interface PlanOrder {
  /** Names of moves. */
  readonly needs: readonly (readonly string[])[];
  readonly faults: readonly MoveFault[];
}

export function orderOf(plan: ManyPlan | ReadPlan): PlanOrder {
  const groups = membersOfGroups(plan);
  const names = new Set(plan.moves.map(nameOfMove));
  // What could not be read is refused for that; whoever names it is right.
  const unread = new Set("unread" in plan ? plan.unread : []);
  const resolve = (after: readonly string[], own: string) =>
    after.flatMap((name) => {
      if (names.has(name)) return [name];
      return (groups.get(name) ?? []).filter((member) => member !== own);
    });
  const needs = plan.moves.map((move) => {
    const ofGroup = move.group === undefined ? [] : (plan.groups?.[move.group]?.after ?? []);
    return [...new Set(resolve([...(move.after ?? []), ...ofGroup], nameOfMove(move)))];
  });
  const isKnown = (name: string) => names.has(name) || groups.has(name) || unread.has(name);
  return {
    needs,
    faults: [
      ...takenNames(plan.moves),
      ...groupFaults(plan, groups, names, unread),
      ...unknownNames(plan, isKnown),
      ...cycleFaults(plan.moves, needs),
    ],
  };
}

function membersOfGroups({ groups = {}, moves }: ManyPlan): Map<string, string[]> {
  const members = new Map<string, string[]>(Object.keys(groups).map((name) => [name, []]));
  for (const move of moves) {
    if (move.group === undefined) continue;
    const known = members.get(move.group);
    if (known === undefined) members.set(move.group, [nameOfMove(move)]);
    else known.push(nameOfMove(move));
  }
  return members;
}

function takenNames(moves: readonly Move[]): MoveFault[] {
  const first = new Map<string, Move>();
  return moves.flatMap((move) => {
    const name = nameOfMove(move);
    const other = first.get(name);
    if (other === undefined) {
      first.set(name, move);
      return [];
    }
    const where = other.at === undefined ? "" : `, at ${other.at}`;
    const message = `another move is called ${name}${where}`;
    return [faultOf(move, "ERR_INVALID_ARGUMENT", message, "give each a `name` of its own")];
  });
}

function groupFaults(
  { groups = {} }: ManyPlan,
  members: ReadonlyMap<string, readonly string[]>,
  names: ReadonlySet<string>,
  unread: ReadonlySet<string>,
): MoveFault[] {
  const taken = [...members.keys()]
    .filter((name) => names.has(name))
    .map((name) => `${name} is the name of a group and of a move`);
  // A misspelt group would have no limit, and wait for nothing.
  const empty = Object.keys(groups)
    .filter((name) => members.get(name)?.length === 0 && !unread.has(name))
    .map((name) => `no move is in the group ${name}`);
  return [...taken, ...empty].map((message) => faultOf(undefined, "ERR_INVALID_ARGUMENT", message));
}

function unknownNames(
  { groups = {}, moves }: ManyPlan,
  isKnown: (name: string) => boolean,
): MoveFault[] {
  const unknown = (move: Move | undefined, of: string, after: readonly string[] = []) =>
    after
      .filter((name) => !isKnown(name))
      .map((name) =>
        faultOf(
          move,
          "ERR_INVALID_ARGUMENT",
          `${of}after: there is no move and no group called ${name}`,
        ),
      );
  return [
    ...Object.entries(groups).flatMap(([name, { after }]) =>
      unknown(undefined, `groups.${name}.`, after),
    ),
    ...moves.flatMap((move) => unknown(move, "", move.after)),
  ];
}

/** Names of a circle that are told, from its start. */
const MOST_NAMES = 8;

/** A fault for each circle of moves that wait for each other; what has a move in common is told once. */
function cycleFaults(moves: readonly Move[], needs: readonly (readonly string[])[]): MoveFault[] {
  // Of those that share a name, the first is meant.
  const entries = moves.map((move, index) => [nameOfMove(move), index] as const);
  const indexOf = new Map(entries.toReversed());
  /** Where on the way a move is; -1: it was left. */
  const place = new Map<string, number>();
  const told = new Set<string>();
  const faults: MoveFault[] = [];
  /** From a move to what it needs, and so on: as many as the plan has moves, which no stack of calls holds. */
  const way: { readonly name: string; readonly left: Iterator<string> }[] = [];

  const enter = (name: string): void => {
    place.set(name, way.length);
    way.push({ name, left: (needs[indexOf.get(name) ?? -1] ?? [])[Symbol.iterator]() });
  };
  const tell = (circle: readonly string[]): void => {
    const isTold = circle.some((name) => told.has(name));
    for (const name of circle) told.add(name);
    if (isTold) return;
    const [first = ""] = circle;
    const more = circle.length > MOST_NAMES ? [`… (${circle.length} moves)`] : [];
    const text = [...circle.slice(0, MOST_NAMES), ...more, first].join(" after ");
    const move = moves[indexOf.get(first) ?? -1];
    faults.push(faultOf(move, "ERR_INVALID_ARGUMENT", `moves wait for each other: ${text}`));
  };
  for (const start of indexOf.keys()) {
    if (!place.has(start)) enter(start);
    for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
      const next = last.left.next();
      if (next.done) {
        place.set(last.name, -1);
        way.pop();
        continue;
      }
      const at = place.get(next.value);
      if (at === undefined) enter(next.value);
      else if (at >= 0) tell(way.slice(at).map(({ name }) => name));
    }
  }
  return faults;
}
