/** Whether all that a plan makes at a backend fits there. */
import { formatSize } from "../units.js";
import type { LookedAt } from "./plan-ends.js";
import { faultOf } from "./plan-order.js";
import type { MoveFault } from "./plan-types.js";
import type { MigrationPlan } from "./types.js";

const MOST_NAMES = 5;

/**
 * A fault for each room, of one backend or several, where moves fit one by one, and not together. What their sources
 * free meanwhile does not count: they may be kept to the end.
 */
export function spaceFaults(looked: readonly LookedAt[]): MoveFault[] {
  const byRoom = new Map<string, LookedAt[]>();
  for (const one of looked) {
    const room = one.plan?.room;
    if (room === undefined || one.earlier !== undefined || isTooLarge(one)) continue;
    byRoom.set(room, [...(byRoom.get(room) ?? []), one]);
  }
  return [...byRoom.values()].flatMap((moves) => {
    const free = Math.min(...moves.map(({ plan }) => plan?.free ?? Number.POSITIVE_INFINITY));
    const needed = moves.reduce((sum, { space }) => sum + space, 0);
    if (needed <= free) return [];
    const message =
      `${backendsOf(moves)}: ${moves.length} moves need ${formatSize(needed)} together, and ` +
      `${formatSize(free)} are free: ${namesOf(moves)}`;
    return [faultOf(undefined, "ERR_NO_SPACE", message, "make room there, or move less at a time")];
  });
}

function backendsOf(moves: readonly LookedAt[]): string {
  const names = [...new Set(moves.map(({ plan }) => plan?.targetBackend))];
  return names.length === 1
    ? `backend ${names[0]}`
    : `backends ${names.join(" and ")}, which share their room`;
}

/** Bytes that a move takes at its target: thin, what holds data. */
export function spaceOf(plan: MigrationPlan | undefined): number {
  if (plan === undefined) return 0;
  const { provisioning, size = 0, targetSize = size, dataSize = targetSize } = plan;
  // Shares the source's blocks.
  if (plan.method === "reflink") return 0;
  return provisioning === "thick" ? targetSize : dataSize;
}

/** By itself already, which is a fault of its own. */
function isTooLarge({ plan }: LookedAt): boolean {
  return plan?.problems.some(({ code }) => code === "ERR_NO_SPACE") ?? false;
}

function namesOf(moves: readonly LookedAt[]): string {
  const names = moves.slice(0, MOST_NAMES).map(({ name }) => name);
  const more = moves.length - names.length;
  return more === 0 ? names.join(", ") : `${names.join(", ")} and ${more} more`;
}
