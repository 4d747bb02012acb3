// Ways to fail: what a scenario of them has in common. Each is a case of its own, after which everything is as before.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { it } from "node:test";

import { cleanUpAttachments } from "blockhaul";

import { scratch } from "./exec.mjs";
import { leftovers } from "./leftovers.mjs";

/**
 * At the least so many ways has each of the scenarios; a scenario that lost some fails. Kills count as one for each
 * thing that is killed at, whatever the number of its moments.
 */
const least = { refusals: 38, "in-flight": 21, kills: 16, races: 12 };

/** Issue 3 wants this many of all together. */
const wanted = 60;

export const stateDirectory = `${scratch}/state`;
export const attachments = `${stateDirectory}/attachments`;
process.env.BLOCKHAUL_STATE_DIR = stateDirectory;

export const iqn = "iqn.2024-01.org.blockhaul.test:failures";
export const mib = 1024 * 1024;

/** The ways of one scenario. */
export class Ways {
  #count = 0;
  /** @type {import("./leftovers.mjs").Leftovers | undefined} */
  #before;
  /** @type {Map<string, string>} */
  #digests = new Map();

  /** @param {keyof typeof least} theme */
  constructor(theme) {
    this.theme = theme;
  }

  /**
   * Remembers what there is before the first one: after each, the same has to be there.
   *
   * @param {readonly string[]} [unchanged] files that no failure may change: the sources
   */
  async begin(unchanged = []) {
    mkdirSync(attachments, { recursive: true });
    for (const file of unchanged) this.#digests.set(file, digest(file));
    this.#before = await leftovers({ attachments });
  }

  /**
   * One way to fail.
   *
   * @param {string} name what goes wrong
   * @param {(t: import("node:test").TestContext) => Promise<void>} body
   * @param {number} [count] of ways in it
   */
  fails(name, body, count = 1) {
    this.#count += count;
    it(name, async (t) => {
      try {
        await body(t);
        await this.nothingIsLeft();
      } catch (error) {
        // The next one is to be judged by what it does itself.
        await cleanUpAttachments().catch(() => {});
        throw error;
      }
    });
  }

  async nothingIsLeft() {
    assert.deepEqual(await leftovers({ attachments }), this.#before);
    for (const [file, before] of this.#digests) assert.equal(digest(file), before, file);
  }

  /** The last case: there were as many as there should be. */
  end() {
    const [own, all] = [least[this.theme], Object.values(least).reduce((a, b) => a + b)];
    it(`${this.#count} ways to fail, of at the least ${wanted} in all scenarios`, () => {
      assert.ok(this.#count >= own, `${this.#count} ways, ${own} expected`);
      assert.ok(all >= wanted);
    });
  }
}

/**
 * What was refused as it should be.
 *
 * @param {Promise<unknown>} promise
 * @param {{ code: string | readonly string[], message: RegExp, hint?: RegExp }} expected
 * @returns {Promise<import("blockhaul").BlockhaulError>}
 */
export async function refused(promise, { code, message, hint = /\w/ }) {
  const error = await promise.then(
    (value) => {
      throw new Error(`it did not fail, but gave ${value}`);
    },
    (thrown) => thrown,
  );
  const told = `${error.code}: ${error.message}\nhint: ${error.hint}`;
  assert.ok([code].flat().includes(error.code), told);
  assert.match(error.message, message);
  assert.match(error.hint ?? "", hint, told);
  return error;
}

/**
 * @param {string} file made anew
 * @param {number} size bytes
 * @returns {string} the file, with content that occurs once
 */
export function randomFile(file, size) {
  writeFileSync(file, randomBytes(size));
  return file;
}

/** @param {string} file */
export function digest(file) {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}
