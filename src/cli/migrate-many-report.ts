/** A plan of migrations and what became of it, as people and programs read them. */
import {
  type CheckedMove,
  formatDuration,
  formatSize,
  type ManyReport,
  type MoveFault,
  type MoveReport,
} from "../index.js";
import { ASSUMED_RATE, type MoveEstimate, type PlanEstimate } from "./migrate-many-estimate.js";
import type { Line } from "./output.js";
import { alignTable, plural } from "./table.js";

/** Every move, what it takes, and how much there is. */
export function estimateLines({ moves, places, size, moved, seconds }: PlanEstimate): string[] {
  const table = alignTable(
    ["move", "source", "target", ">size", ">to move", ">about", "how"],
    moves.map(({ checked, ...estimate }) => [
      checked.name,
      checked.move.source,
      checked.target,
      checked.plan?.size === undefined ? "?" : formatSize(checked.plan.size),
      formatSize(estimate.moved),
      formatDuration(estimate.seconds),
      howText(checked),
    ]),
  );
  const room = places.map(
    ({ backend, needed, free }) =>
      `${backend}: ${formatSize(needed)} will be taken, ${free === undefined ? "nobody knows how much is free" : `${formatSize(free)} are free`}`,
  );
  const notices = moves.flatMap(({ checked: { name, plan } }) =>
    (plan?.notices ?? []).map((notice) => `note: ${name}: ${notice}`),
  );
  const total =
    `${plural(moves.length, "move")}, ${formatSize(size)}: ${formatSize(moved)} to move, about ` +
    `${formatDuration(seconds)} at ${formatSize(ASSUMED_RATE)}/s or what the limits allow`;
  return [...table, ...room, ...notices, total];
}

function howText({ plan, earlier, needs }: CheckedMove): string {
  const begun = earlier === undefined ? undefined : EARLIER[earlier.state];
  const after = needs.length === 0 ? undefined : `after ${needs.join(", ")}`;
  return [begun ?? plan?.method ?? "?", after].filter((text) => text !== undefined).join(", ");
}

const EARLIER = { done: "done before", "cut short": "resumed", running: "runs already" } as const;

/** One line of --json for a move of a dry run. */
export function estimateEvent({ checked, moved, seconds }: MoveEstimate): Record<string, unknown> {
  const { name, move, target, needs, plan, earlier, bandwidthLimit, space } = checked;
  const { size, targetSize, dataSize, method, freeze, provisioning, free, capacity, notices } =
    plan ?? {};
  const facts = {
    size,
    targetSize,
    dataSize,
    method,
    freeze,
    provisioning,
    free,
    capacity,
    notices,
  };
  const what = { name, source: move.source, target, needs, ...facts, space, bandwidthLimit };
  return { ...what, earlier, bytesToMove: moved, estimatedSeconds: seconds };
}

/** All faults, numbered. */
export function faultLines(faults: readonly MoveFault[]): string[] {
  const width = `${faults.length}`.length;
  return faults.flatMap(({ move, at, message, hint }, index) => {
    const place = [at, move].filter((text) => text !== undefined).join(": ");
    const number = `${index + 1}`.padStart(width);
    const line = `${number}. ${place === "" ? "" : `${place}: `}${message}`;
    return hint === undefined ? [line] : [line, `${" ".repeat(width + 2)}hint: ${hint}`];
  });
}

/** What became of every move. */
export function reportLines(report: ManyReport): string[] {
  const table = alignTable(
    ["move", "state", ">size", ">time", "target", "digest or why"],
    report.moves.map((move) => [
      move.name,
      move.state,
      move.size === undefined ? "-" : formatSize(move.size),
      move.seconds === 0 ? "-" : formatDuration(move.seconds),
      move.target,
      noteText(move),
    ]),
  );
  return [...table, totalText(report)];
}

function noteText({ error, reason, digest, id, state }: MoveReport): string {
  const migration = id === undefined ? "" : ` (migration ${id})`;
  if (error !== undefined && state === "failed") return `${error.message}${migration}`;
  if (state === "interrupted") return `stopped${migration}`;
  return [digest, reason].filter((text) => text !== undefined).join(", ");
}

/** "18 done, 1 failed, 1 skipped: 20 GiB in 1:30" */
export function totalText(report: ManyReport): string {
  const states = ["done", "failed", "skipped", "interrupted"] as const;
  const counts = states
    .filter((state) => state === "done" || report[state] > 0)
    .map((state) => `${report[state]} ${state}`);
  return `${counts.join(", ")}: ${formatSize(report.size)} in ${formatDuration(report.seconds)}`;
}

/** A move that has just ended: "db-1: done, 10 GiB in 42 s". */
export function endLine(name: string, state: string, detail: string | undefined): Line {
  const colour = state === "done" ? "green" : state === "failed" ? "red" : "yellow";
  const text = detail === undefined || detail === "" ? "" : `, ${detail}`;
  return [`${name}: `, { colour, text: state }, text];
}
