/** A migration's plan and report, as a person reads them. */
import {
  type BlockhaulError,
  type Freeze,
  formatDuration,
  formatSize,
  type MigrationPlan,
  type MigrationReport,
  type MigrationStatus,
} from "../index.js";

const FREEZES: Readonly<Record<Freeze, string>> = {
  snapshot: "frozen by a snapshot",
  exclusive: "claimed, so that nobody mounts it",
  guarded: "watched: it must not change meanwhile",
  frozen: "a snapshot: it cannot change",
};

export function migrationPlanLines(plan: MigrationPlan): string[] {
  const { size, dataSize, targetSize, free, capacity, snapshots, settings } = plan;
  const known = (bytes: number | undefined) => (bytes === undefined ? "?" : formatSize(bytes));
  const provisioning = plan.provisioning === undefined ? "" : `${plan.provisioning}, `;
  const room = free === undefined ? "" : `; ${formatSize(free)} of ${known(capacity)} are free`;
  const way = plan.method === "copy" ? `copied, about ${known(dataSize)}` : `by ${plan.method}`;
  return [
    `plan: ${plan.source} to ${plan.target}, ${known(size)}`,
    `  source: ${plan.sourceDriver}, ${FREEZES[plan.freeze]}`,
    `  target: ${plan.targetDriver}, ${provisioning}${known(targetSize)}${plan.temporary === undefined ? "" : `, until the hand-over ${plan.temporary}`}${room}`,
    `  ${way}${settings.verify === false ? ", not verified" : ", then read back and compared"}`,
    ...(snapshots.length === 0 ? [] : [`  with the snapshots ${snapshots.join(", ")}`]),
    `  afterwards: ${fateText(plan)}`,
    ...plan.notices.map((notice) => `note: ${notice}`),
  ];
}

function fateText({ settings: { rename, deleteSource } }: MigrationPlan): string {
  if (deleteSource) return "the source is removed";
  return rename ? "the source is set aside" : "the source is kept";
}

/** Each with what to do about it. */
export function problemLines(problems: readonly BlockhaulError[]): string[] {
  const lines = problems.flatMap(({ message, hint }, index) => [
    `${String(index + 1).padStart(3)}. ${message}`,
    ...(hint === undefined ? [] : [`     ${hint}`]),
  ]);
  return ["would be refused:", ...lines];
}

export function migrationSummary(report: MigrationReport): string[] {
  const { copy, snapshots, digest } = report;
  const rate = copy === undefined ? "" : `, ${formatSize(copy.bytesPerSecond)}/s`;
  return [
    `migrated ${report.source} to ${report.target}`,
    `  ${formatSize(report.size)} in ${formatDuration(report.seconds)}${rate}, ${report.method === "copy" ? "copied by the engine" : `by ${report.method}`}`,
    ...(copy === undefined ? [] : [`  ${formatSize(copy.written)} moved`]),
    ...(snapshots.length === 0 ? [] : [`  with the snapshots ${snapshots.join(", ")}`]),
    `  ${report.verified ? "verified: read back and compared, the target holds what was read of the source" : "not verified"}`,
    ...(digest === undefined ? [] : [`  ${digest}`]),
    `  the source is ${report.sourceIs}${report.setAside === undefined || report.sourceIs !== "set aside" ? "" : `: ${report.setAside}`}`,
    ...report.notices.map((notice) => `  note: ${notice}`),
    `  job ${report.id}`,
  ];
}

/** How one that was cut short goes on, or back. */
export function sequelText({ id, phase, resumable, abortable }: MigrationStatus): string {
  const ways = [
    ...(resumable ? [`\`blockhaul resume ${id}\` goes on from ${phase}`] : []),
    ...(abortable ? [`\`blockhaul abort ${id}\` goes back`] : []),
  ];
  return ways.join(", ");
}
