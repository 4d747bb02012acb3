import { run, say } from "./run.mjs";
import { withTemporaryFolder } from "./temporary.mjs";

const everyMs = 20_000;

/** A line now and then that says how far something is: nobody shall wonder whether it still runs. */
export class Progress {
  #began = performance.now();
  #timer;

  /** @param {() => string} describe what is done, of how much */
  constructor(describe) {
    this.describe = describe;
    this.#timer = setInterval(() => this.#tell(), everyMs);
    this.#timer.unref();
  }

  #tell() {
    say(`  ${this.describe()}, ${inMinutes((performance.now() - this.#began) / 1000)}`);
  }

  /** The last line. */
  end() {
    clearInterval(this.#timer);
    this.#tell();
  }
}

/**
 * @template T
 * @param {string} what is done, in words
 * @param {() => Promise<T>} body
 */
export async function withProgress(what, body) {
  say(what);
  const progress = new Progress(() => "still at it");
  try {
    return await body();
  } finally {
    progress.end();
  }
}

/**
 * Runs what drives a compiler. On a terminal its own progress is shown; elsewhere how far it is, and what it warns of.
 *
 * @param {string} what is built, in words
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Record<string, string>} [env]
 */
export async function compile(what, command, args, env = {}) {
  say(what);
  if (process.stdout.isTTY) {
    await run(command, args, { env });
    return;
  }
  let position = "begun";
  const progress = new Progress(() => `compiling: ${position}`);
  const onOutput = (/** @type {string} */ text) => {
    // Ninja's, or make's: [12/80], [ 45%]
    const [, done, of] = [...text.matchAll(/^\[ *(\d+)(\/\d+|%)\]/gm)].at(-1) ?? [];
    if (done !== undefined && of !== undefined) position = `${done}${of.replace("/", " of ")}`;
  };
  try {
    // A compiler that is killed leaves its files.
    const output = await withTemporaryFolder(() =>
      run(command, args, { env, capture: true, onOutput }),
    );
    if (/\bwarning\b/i.test(output)) say(output);
  } finally {
    progress.end();
  }
}

/**
 * @param {number} seconds
 * @returns {string} "12 s", "3 min 5 s"
 */
export function inMinutes(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
