import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

import { runGuest } from "./machine.mjs";

/**
 * @typedef {import("./machine.mjs").GuestOptions} GuestOptions
 * @typedef {import("./machine.mjs").GuestEnd} GuestEnd
 * @typedef {import("./reporter.mjs").CaseEnded} CaseEnded
 * @typedef {import("./reporter.mjs").CaseEvent} CaseEvent
 */

const reporter = fileURLToPath(new URL("reporter.mjs", import.meta.url));
/** A panic alone says about 40. */
const shownLines = 60;

/**
 * Runs a scenario, a file of node:test's, in a guest of its own.
 *
 * @param {string} file
 * @param {GuestOptions & { onOutput?: (text: string) => void }} [options] on top of what the file itself declares
 * @returns {Promise<CaseEnded[]>} its cases in order. What went wrong outside of them is a failed case of its own,
 *   so that there is always at least one.
 */
export async function runScenario(file, { onOutput, ...options } = {}) {
  const share = mkdtempSync(path.join(tmpdir(), "blockhaul-guest-share-"));
  try {
    const results = path.join(share, "results");
    const end = await runGuest(nodeCommand(path.resolve(file)), {
      ...declaredOptions(readFileSync(file, "utf8")),
      ...options,
      share,
      env: { ...ownEnvironment(), NO_COLOR: "1" },
      ...(onOutput && { onOutput }),
    });
    const events = existsSync(results) ? readEvents(results) : [];
    return [...endedCases(events), ...outsideOfCases(events, end)];
  } finally {
    rmSync(share, { recursive: true, force: true });
  }
}

/**
 * Two reporters: one for us, and node's own for whoever watches. What a failed case left open shall not keep the
 * guest until its time limit: node ends once all cases have.
 *
 * @param {string} file
 */
function nodeCommand(file) {
  return [
    process.execPath,
    "--test-force-exit",
    `--test-reporter=${reporter}`,
    "--test-reporter-destination=/dev/null",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    file,
  ];
}

/** What steers blockhaul here steers it in the guest: BLOCKHAUL_IO, BLOCKHAUL_SOAK, … */
function ownEnvironment() {
  const own = Object.entries(process.env).filter(([name]) => name.startsWith("BLOCKHAUL_"));
  return /** @type {Record<string, string>} */ (Object.fromEntries(own));
}

/**
 * A scenario says in one line of its own what guest it wants; it cannot export it, because it is never loaded on the
 * host:
 *
 *     // @guest memory=1536 disks=512,512 limit=180 modules=dm-flakey,scsi_debug
 *
 * @param {string} text the scenario's
 * @returns {GuestOptions}
 */
export function declaredOptions(text) {
  const line = /^\/\/ @guest (.+)$/m.exec(text)?.[1];
  /** @type {GuestOptions} */
  const options = {};
  for (const setting of line?.trim().split(/\s+/) ?? []) {
    const [name, value = ""] = setting.split("=");
    if (name === "memory") options.memoryMiB = positive(setting, value);
    else if (name === "disks")
      options.disksMiB = value.split(",").map((size) => positive(setting, size));
    else if (name === "limit") options.timeLimitS = positive(setting, value);
    else if (name === "modules") options.modules = value.split(",");
    else throw new Error(`@guest does not know ${setting}`);
  }
  return options;
}

/**
 * @param {string} setting
 * @param {string} text
 */
function positive(setting, text) {
  const number = Number(text);
  if (!Number.isInteger(number) || number <= 0) throw new Error(`@guest: no number in ${setting}`);
  return number;
}

/**
 * @param {string} file
 * @returns {CaseEvent[]} a line that was being written when the guest died is left out
 */
function readEvents(file) {
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/**
 * @param {readonly CaseEvent[]} events
 * @returns {CaseEnded[]}
 */
function endedCases(events) {
  return events.filter((event) => event.type === "ended");
}

/**
 * @param {readonly CaseEvent[]} events
 * @param {GuestEnd} end
 * @returns {CaseEnded[]} one failure, or nothing
 */
function outsideOfCases(events, { status, how, output, console }) {
  const ended = endedCases(events);
  const failed = ended.some((event) => event.result === "failed");
  const fail = (/** @type {readonly string[]} */ path, /** @type {string} */ message) => [
    /** @type {CaseEnded} */ ({
      type: "ended",
      path,
      result: "failed",
      durationMs: 0,
      outside: true,
      error: { message, stack: message },
    }),
  ];
  if (status === undefined) {
    const running = events.findLast((event) => event.type === "started");
    const during = running ? `during "${running.path.join(" > ")}"` : "before the first case";
    const message = `The guest: ${how}, ${during}.\n\n${tail("Its console", console)}\n\n${tail("Its output", output)}`;
    return fail(["the guest lives to its end"], message);
  }
  if (ended.length === 0) {
    return fail(["some case is reported"], `None was; ${how}.\n\n${tail("Its output", output)}`);
  }
  if (status !== 0 && !failed) {
    return fail(
      ["the scenario ends well"],
      `No case failed, but ${how}.\n\n${tail("Its output", output)}`,
    );
  }
  return [];
}

/**
 * @param {string} title
 * @param {string} text
 */
function tail(title, text) {
  const lines = text.replaceAll("\r", "").trimEnd().split("\n").slice(-shownLines);
  return `${title}:\n${lines.map((line) => `  | ${line}`).join("\n")}`;
}
