/** How much a plan of migrations will move, and about how long that takes. */
import type { CheckedMove, CheckedPlan } from "../index.js";

/** Bytes a second that are assumed where no limit is lower. */
export const ASSUMED_RATE = 200 * 1024 ** 2;

export interface MoveEstimate {
  readonly checked: CheckedMove;
  /** Bytes that go through this process: none where storage does it by itself. */
  readonly moved: number;
  /** Of moving, and of reading back what was moved. */
  readonly seconds: number;
}

export interface PlaceEstimate {
  readonly backend: string;
  /** Bytes. */
  readonly needed: number;
  readonly free: number | undefined;
  readonly capacity: number | undefined;
}

export interface PlanEstimate {
  readonly moves: readonly MoveEstimate[];
  readonly places: readonly PlaceEstimate[];
  readonly size: number;
  readonly moved: number;
  /** Of all: the longest chain of moves that wait for each other, or what is left for so many at once. */
  readonly seconds: number;
}

export function estimatePlan({ moves }: CheckedPlan, parallel: number): PlanEstimate {
  const each = moves.map(estimateMove);
  const sum = (of: (one: MoveEstimate) => number) => each.reduce((all, one) => all + of(one), 0);
  const shared = sum(({ seconds }) => seconds) / parallel;
  return {
    moves: each,
    places: placesOf(moves),
    size: sum(({ checked }) => checked.plan?.size ?? 0),
    moved: sum(({ moved }) => moved),
    seconds: Math.max(shared, longestChain(each)),
  };
}

function estimateMove(checked: CheckedMove): MoveEstimate {
  const { plan, earlier, bandwidthLimit, move } = checked;
  // What was cut short may be anywhere: it counts in whole.
  const data = earlier?.state === "done" ? 0 : (plan?.dataSize ?? plan?.size ?? 0);
  const rate = bandwidthLimit === 0 ? ASSUMED_RATE : Math.min(ASSUMED_RATE, bandwidthLimit);
  const moved = (plan?.method ?? "copy") === "copy" ? data : 0;
  const readBack = move.options?.verify === false ? 0 : data;
  return { checked, moved, seconds: (moved + readBack) / rate };
}

function longestChain(each: readonly MoveEstimate[]): number {
  const byName = new Map(each.map((one) => [one.checked.name, one]));
  const known = new Map<string, number>();
  const endOf = (name: string): number => {
    const before = known.get(name);
    if (before !== undefined) return before;
    known.set(name, 0); // a circle is refused; it must not keep us
    const one = byName.get(name);
    const begin = Math.max(0, ...(one?.checked.needs ?? []).map(endOf));
    const end = begin + (one?.seconds ?? 0);
    known.set(name, end);
    return end;
  };
  return Math.max(0, ...each.map(({ checked }) => endOf(checked.name)));
}

function placesOf(moves: readonly CheckedMove[]): PlaceEstimate[] {
  const places = new Map<string, PlaceEstimate>();
  for (const { plan, space } of moves) {
    const backend = plan?.targetBackend;
    if (plan === undefined || backend === undefined) continue;
    const known = places.get(backend);
    places.set(backend, {
      backend,
      needed: (known?.needed ?? 0) + space,
      // Nobody asked for it where a move was to be refused before.
      free: known?.free ?? plan.free,
      capacity: known?.capacity ?? plan.capacity,
    });
  }
  return [...places.values()];
}
