// What vitest's runs say: how far they are, each failure when it comes, with the command that runs it again. At the end
// the counts are left in the file that BLOCKHAUL_TEST_RESULT names.

import { writeFileSync } from "node:fs";

import { Progress } from "./progress.mjs";
import { failureInWords, nothing } from "./results.mjs";
import { say } from "./run.mjs";

/** @typedef {import("vitest/node").Reporter} Reporter */
/** @typedef {import("vitest/node").TestModule} TestModule */
/** @typedef {import("vitest/node").TestCase} TestCase */

/** @implements {Reporter} */
export default class {
  #projects = "";
  #files = 0;
  /** @type {Set<string>} */
  #running = new Set();
  #isFiltered = false;
  #ended = 0;
  /** @type {import("./results.mjs").Counts & { failures: string[], skips: import("./results.mjs").Skip[], files: import("./results.mjs").FileCost[] }} */
  #counts = { ...nothing, failures: [], skips: [], files: [] };
  #progress = new Progress(() => this.#describe());

  /** @param {import("vitest/node").Vitest} vitest */
  onInit(vitest) {
    this.#isFiltered = vitest.config.testNamePattern !== undefined;
  }

  /** @param {readonly import("vitest/node").TestSpecification[]} specifications */
  onTestRunStart(specifications) {
    this.#files = specifications.length;
    this.#projects = [...new Set(specifications.map(({ project }) => project.name))].join(", ");
  }

  /** @param {TestModule} module */
  onTestModuleQueued(module) {
    this.#running.add(module.relativeModuleId);
  }

  /** @param {TestCase} test */
  onTestCaseResult(test) {
    const result = test.result();
    if (result.state === "passed") this.#counts.passed++;
    if (result.state === "failed") this.#fail(test.module, test.fullName, result.errors, test.name);
    if (result.state === "skipped" && (result.note !== undefined || !this.#isFiltered)) {
      const what = `${test.module.relativeModuleId}: ${test.fullName}`;
      this.#counts.skips.push({ what, why: result.note ?? "its conditions do not hold here" });
    }
  }

  /** @param {TestModule} module */
  onTestModuleEnd(module) {
    this.#ended++;
    this.#running.delete(module.relativeModuleId);
    const { cost } = /** @type {{ cost?: { wall: number, cpu: number } }} */ (module.meta());
    if (cost !== undefined) this.#counts.files.push({ file: module.relativeModuleId, ...cost });
    // A hook, or loading it, has failed.
    const suites = [module, ...module.children.allSuites()];
    for (const suite of suites) {
      if (suite.errors().length === 0) continue;
      this.#fail(module, suite.type === "suite" ? suite.fullName : "(the file)", suite.errors());
    }
  }

  /**
   * @param {readonly TestModule[]} _modules
   * @param {readonly import("vitest").SerializedError[]} errors that belong to no test
   */
  onTestRunEnd(_modules, errors) {
    for (const { message, stack } of errors) {
      this.#counts.failed++;
      this.#counts.failures.push(failureInWords("outside of tests", stack ?? message, "npm test"));
    }
    this.#progress.end();
    const file = process.env.BLOCKHAUL_TEST_RESULT;
    if (file !== undefined) writeFileSync(file, JSON.stringify(this.#counts));
  }

  /**
   * @param {TestModule} module
   * @param {string} name
   * @param {readonly { message: string, stack?: string, diff?: string }[]} errors
   * @param {string} [pattern] of vitest's -t
   */
  #fail(module, name, errors, pattern) {
    const file = module.relativeModuleId;
    const choice =
      pattern === undefined ? "" : ` -t ${quoted(pattern.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))}`;
    const [error] = errors;
    const at = error?.stack?.split("\n").find((line) => line.includes(file)) ?? "";
    const message = [error?.message, error?.diff, at].filter(Boolean).join("\n");
    this.#counts.failed++;
    const failure = failureInWords(`${file}: ${name}`, message, `npm test -- ${file}${choice}`);
    this.#counts.failures.push(failure);
    say(`FAILED ${failure}`);
  }

  #describe() {
    const { passed, failed } = this.#counts;
    const now = [...this.#running]
      .slice(0, 3)
      .map((file) => file.replace(/^test\/|\.test\.ts$/g, ""));
    const doing = now.length > 0 ? `, now ${now.join(", ")}` : "";
    return `${this.#projects}: ${this.#ended} of ${this.#files} files, ${passed} passed, ${failed} failed${doing}`;
  }
}

/** @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
