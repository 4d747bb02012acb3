// node:test's reporter for a scenario: one JSON object a line, for machine/scenario.mjs on the host. Each line
// is in the host's hands once it is written, so that a guest which dies does not take it along.

import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { inspect } from "node:util";

/**
 * @typedef {object} CaseStarted
 * @property {"started"} type
 * @property {readonly string[]} path names of the suites around it, and its own
 *
 * @typedef {object} CaseEnded
 * @property {"ended"} type
 * @property {readonly string[]} path
 * @property {"passed" | "failed" | "skipped"} result
 * @property {number} durationMs
 * @property {string} [reason] why it was skipped
 * @property {{ message: string, stack: string }} [error]
 * @property {true} [outside] it is no case of the scenario, but the end of the guest or of the scenario itself
 *
 * @typedef {CaseStarted | CaseEnded} CaseEvent
 */

/** @param {AsyncIterable<import("node:test/reporters").TestEvent>} source */
export default async function* report(source) {
  const file = openSync("/host/results", "a");
  const write = (/** @type {CaseEvent} */ event) => {
    writeSync(file, `${JSON.stringify(event)}\n`);
    fsyncSync(file);
  };
  const names = new Names();
  for await (const event of source) {
    if (event.type === "test:dequeue") {
      write({ type: "started", path: names.at(event.data) });
    } else if (event.type === "test:pass" || event.type === "test:fail") {
      const ended = endOf(names.at(event.data), event);
      if (ended) write(ended);
    }
  }
  closeSync(file);
  yield "";
}

/** The names of the suites that surround what is reported. Cases run one after another. */
class Names {
  /** @type {string[]} */
  #stack = [];

  /** @param {{ name: string, nesting: number }} data */
  at({ name, nesting }) {
    this.#stack[nesting] = name;
    return this.#stack.slice(0, nesting + 1);
  }
}

/**
 * @param {readonly string[]} path
 * @param {Extract<import("node:test/reporters").TestEvent, { type: "test:pass" | "test:fail" }>} event
 * @returns {CaseEnded | undefined} nothing of suites: their cases speak for them, unless a hook failed
 */
function endOf(path, { type, data }) {
  const durationMs = Math.round(data.details.duration_ms);
  const isSuite = /** @type {string | undefined} */ (data.details.type) === "suite";
  if (type === "test:pass") {
    if (isSuite) return undefined;
    const why = data.skip ?? data.todo;
    if (why === undefined || why === false) {
      return { type: "ended", path, result: "passed", durationMs };
    }
    const reason = typeof why === "string" ? why : "";
    return { type: "ended", path, result: "skipped", durationMs, reason };
  }
  const failure = /** @type {{ details: { error: Error & { failureType?: string } } }} */ (data)
    .details.error;
  if (failure.failureType === "subtestsFailed") return undefined;
  const hook = failure.failureType === "hookFailed" ? [`(a hook)`] : [];
  const error = errorOf(failure.cause ?? failure);
  return { type: "ended", path: [...path, ...hook], result: "failed", durationMs, error };
}

/** @param {unknown} error */
function errorOf(error) {
  return {
    message: error instanceof Error ? error.message : inspect(error),
    stack: inspect(error, { depth: 6 }),
  };
}
