import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { failureInWords, nothing } from "./results.mjs";
import { endAtInterrupt, root, say } from "./run.mjs";

/** @typedef {import("./results.mjs").Counts} Counts */

/**
 * Reads what a program of GoogleTest's says while it runs: how far it is, and why tests are skipped, which its own
 * report does not have. Nothing of it is shown but what a failed test has said.
 */
export class GoogleTestRun {
  total = 0;
  ended = 0;
  failed = 0;
  /** @type {Map<string, string>} the reasons of skipped tests */
  skips = new Map();
  /** @type {string[]} what the running test has said */
  #said = [];

  /**
   * @param {string} binary
   * @param {readonly string[]} args
   * @param {Record<string, string>} env
   * @returns {Promise<number>} its exit status
   */
  run(binary, args, env) {
    return new Promise((resolve) => {
      const child = spawn(binary, ["--gtest_color=no", ...args], {
        cwd: root,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      endAtInterrupt(child);
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => this.#read(line));
      }
      child.once("error", (error) => {
        say(`${binary}: ${error.message}`);
        resolve(127);
      });
      child.once("close", (code, signal) => {
        // It died within a test, or behind the last one: what a sanitizer says of leaks comes there.
        const isTold = this.failed > 0 && this.ended === this.total;
        if (code !== 0 && !isTold) say(this.#said.join("\n"));
        if (signal !== null) say(`ended by ${signal}`);
        resolve(code ?? 128);
      });
    });
  }

  /** @param {string} line */
  #read(line) {
    const [, state, name = ""] = /^\[ +(RUN|OK|FAILED|SKIPPED) +\] ([^ ,]+)/.exec(line) ?? [];
    const [, total] = /^\[=+\] Running (\d+) tests?/.exec(line) ?? [];
    if (total !== undefined) this.total = Number(total);
    if (/^\[[ =-]+\] /.test(line)) {
      this.#said = [];
      return;
    }
    if (state === undefined) {
      this.#said.push(line);
      return;
    }
    if (state === "RUN") {
      this.#said = [`${name}:`];
      return;
    }
    // The list at the end names tests again, without their times.
    if (!/\(\d+ ms\)$/.test(line)) return;
    this.ended++;
    if (state === "SKIPPED") this.skips.set(name, this.#said.slice(1).at(-1)?.trim() ?? "");
    if (state === "FAILED") {
      this.failed++;
      say(`FAILED ${this.#said.join("\n  ")}\n  again: ${again(name)}`);
    }
    this.#said = [];
  }
}

/** @param {string} name SUITE.TEST */
function again(name) {
  return `npm run test:native -- '${name}'`;
}

/**
 * Counts GoogleTest's report.
 *
 * @param {{ testsuites: { name: string, time: string, testsuite: GoogleTest[] }[] }} report
 * @param {Map<string, string>} skips their reasons
 * @returns {Counts}
 *
 * @typedef {{ classname: string, name: string, result: string, failures?: { failure: string }[] }} GoogleTest
 */
export function countGoogleTest({ testsuites }, skips) {
  const tests = testsuites.flatMap(({ testsuite }) => testsuite);
  const failed = tests.filter(({ failures }) => failures !== undefined);
  const skipped = tests.filter(({ result }) => result === "SKIPPED");
  const nameOf = (/** @type {GoogleTest} */ test) => `${test.classname}.${test.name}`;
  return {
    ...nothing,
    passed: tests.length - failed.length - skipped.length,
    failed: failed.length,
    failures: failed.map((test) =>
      failureInWords(nameOf(test), test.failures?.[0]?.failure ?? "", again(nameOf(test))),
    ),
    skips: skipped.map((test) => ({
      what: nameOf(test),
      why: skips.get(nameOf(test)) || "it does not say why",
    })),
    files: testsuites.map(({ name, time }) => ({ file: name, wall: Number.parseFloat(time) })),
  };
}

/**
 * Adds up a number that tests note in GoogleTest's reports (RecordProperty), by a text that they note with it.
 *
 * @param {readonly { testsuites: { name: string, testsuite: Record<string, string>[] }[] }[]} reports
 * @param {string} textName
 * @param {string} numberName
 * @returns {Map<string, { sum: number, suite: string }>} by the text; with the suite of the first test
 */
export function sumProperties(reports, textName, numberName) {
  /** @type {Map<string, { sum: number, suite: string }>} */
  const sums = new Map();
  for (const { name: suite, testsuite } of reports.flatMap(({ testsuites }) => testsuites)) {
    for (const test of testsuite) {
      const text = test[textName];
      if (text === undefined) continue;
      const known = sums.get(text) ?? { sum: 0, suite };
      sums.set(text, { ...known, sum: known.sum + Number(test[numberName]) });
    }
  }
  return sums;
}
