import { constants } from "node:os";

/** @typedef {import("./patch.mjs").Catcher} Catcher */

/**
 * One test of one run.
 *
 * @typedef {object} Test
 * @property {string} name GoogleTest's SUITE.TEST, or vitest's titles with spaces between them
 * @property {string} [file] vitest's, from the root
 * @property {"passed" | "failed" | "skipped"} outcome
 * @property {number} seconds
 */

/**
 * What came of running tests.
 *
 * @typedef {object} TestRun
 * @property {number} status of the runner; 128 + the signal where one ended it
 * @property {boolean} hung ended at its deadline
 * @property {readonly Test[] | undefined} tests undefined where no report was left: it crashed, or did not begin
 */

/** @typedef {"caught" | "not caught" | "skipped"} Verdict */

/**
 * What a run of tests with a planted bug says. Only a test that fails, a crash or a hang catches the bug: tests
 * that do not load or are not there prove nothing.
 *
 * @param {TestRun} run
 * @returns {{ verdict: Verdict, how: string }}
 */
export function judge({ status, hung, tests }) {
  if (hung) return { verdict: "caught", how: "hangs" };
  const [first, ...further] = (tests ?? []).filter(({ outcome }) => outcome === "failed");
  if (first !== undefined) {
    const more = further.length > 0 ? `, and ${further.length} more` : "";
    return { verdict: "caught", how: `fails ${shortened(first.name)}${more}` };
  }
  if (tests === undefined && status > 128) {
    return { verdict: "caught", how: `crashes (${signalName(status - 128)})` };
  }
  if (tests === undefined) return { verdict: "not caught", how: "its tests did not run" };
  const passed = tests.filter(({ outcome }) => outcome === "passed").length;
  if (passed > 0) return { verdict: "not caught", how: `${passed} of its tests pass` };
  return tests.length > 0
    ? { verdict: "skipped", how: "its tests were skipped" }
    : { verdict: "not caught", how: "there are no such tests" };
}

/**
 * The tests of a run without any bug that a catcher names.
 *
 * @param {Catcher} catcher
 * @param {readonly Test[]} tests
 */
export function named(catcher, tests) {
  if (catcher.kind === "native") {
    const filters = catcher.filter.split(":").map(globToRegExp);
    return tests.filter(
      ({ file, name }) => file === undefined && filters.some((filter) => filter.test(name)),
    );
  }
  const pattern = new RegExp(catcher.pattern ?? "");
  return tests.filter(({ file, name }) => file === catcher.file && pattern.test(name));
}

/**
 * A run that takes longer than that hangs.
 *
 * @param {readonly Test[]} tests as they were without the bug
 * @returns {number} seconds
 */
export function deadlineFor(tests) {
  return Math.ceil(10 + 5 * tests.reduce((total, { seconds }) => total + seconds, 0));
}

/** @param {string} glob GoogleTest's: "*" and "?" */
function globToRegExp(glob) {
  const literal = glob.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}

/** @param {string} name titles of vitest's may hold whole inputs */
function shortened(name) {
  return name.length > 90 ? `${name.slice(0, 89)}…` : name;
}

/** @param {number} number */
function signalName(number) {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}
