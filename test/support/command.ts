import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const memoryReport = fileURLToPath(new URL("../e2e/fixtures/report-memory.mjs", import.meta.url));

/** How a command ended, and what it said. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Put before the command: a program that starts another, with its arguments. */
  readonly under?: readonly string[];
}

let stateDirectory: string | undefined;

/** The host's own must not know of what tests copy. Gone with this process, unless that is killed. */
export function ownStateDirectory(): string {
  if (stateDirectory === undefined) {
    const folder = mkdtempSync(path.join(tmpdir(), "blockhaul-state-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    stateDirectory = folder;
  }
  return stateDirectory;
}

/** The built command at work. */
export class RunningCommand {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[], options: CommandOptions = {}) {
    const [program, ...rest] = [...(options.under ?? []), process.execPath, main, ...args];
    this.process = spawn(program ?? "", rest, {
      cwd: options.cwd,
      env: {
        BLOCKHAUL_STATE_DIR: ownStateDirectory(),
        ...process.env,
        NODE_OPTIONS: undefined,
        ...options.env,
      },
    });
    this.process.stdout.on("data", (data: Buffer) => {
      this.#stdout += data.toString();
    });
    this.process.stderr.on("data", (data: Buffer) => {
      this.#stderr += data.toString();
    });
    this.ended = once(this.process, "close").then(([status, signal]) => ({
      status,
      signal,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
  }

  /** Waits until stdout and stderr together match. */
  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#stdout + this.#stderr)) {
      const heard = new AbortController();
      const { signal } = heard;
      const ended = await Promise.race([
        once(this.process.stdout, "data", { signal }).then(() => undefined),
        once(this.process.stderr, "data", { signal }).then(() => undefined),
        this.ended,
      ]);
      // Nobody waits for the other of the two any more.
      heard.abort();
      if (ended !== undefined && !pattern.test(ended.stdout + ended.stderr)) {
        throw new Error(`it ended with ${ended.status} and never said ${pattern}: ${ended.stderr}`);
      }
    }
  }
}

/** Runs the built command to its end. */
export function blockhaul(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return new RunningCommand(args, options).ended;
}

/** A copy's report, and the most memory that its process held; throws where it failed. */
export async function measuredCopy(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ report: Record<string, unknown>; peakMemory: number }> {
  const file = path.join(tmpdir(), `blockhaul-memory-${process.pid}-${measurements++}`);
  const result = await blockhaul(["copy", "--json", ...args], {
    env: {
      ...env,
      NODE_OPTIONS: `--import ${pathToFileURL(memoryReport)}`,
      BLOCKHAUL_TEST_MEMORY_REPORT: file,
    },
  });
  const peakMemory = existsSync(file) ? Number(readFileSync(file, "utf8")) : Number.NaN;
  rmSync(file, { force: true });
  if (result.status !== 0) throw new Error(`exit ${result.status}: ${result.stderr}`);
  const events = result.stdout.trimEnd().split("\n");
  return { report: JSON.parse(events.at(-1) ?? "{}"), peakMemory };
}

let measurements = 0;
