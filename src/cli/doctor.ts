import { readFileSync } from "node:fs";
import { release } from "node:os";

import {
  BlockhaulError,
  type EngineStatus,
  engineStatus,
  formatSize,
  type ToolStatus,
  toolStatus,
} from "../index.js";
import type { CommandRun } from "./command.js";
import type { listingOptions } from "./command-options.js";
import { packageVersion } from "./version.js";

/** "warn": it works, but slower or not all of it. "missing": nothing works without it. */
export type CheckState = "ok" | "warn" | "missing";

export interface Check {
  readonly name: string;
  readonly state: CheckState;
  readonly detail: string;
}

const MISSING_ON_HOST = 8;
const OLDEST_NODE = [20, 19] as const;
const WANTED_FILES = 1024;
/** Buffers of a copy, which io_uring keeps in memory. */
const WANTED_LOCKED_MEMORY = 64 * 1024 ** 2;

export const runDoctor: CommandRun<typeof listingOptions> = async (_args, options, { stdout }) => {
  const checks = [
    check("blockhaul", "ok", packageVersion()),
    checkNode(process.versions.node),
    check("kernel", "ok", `${release()} on ${process.arch}`),
    ...checkEngine(),
    ...toolStatus().map(checkTool),
    ...checkLimits(readLimits(), process.getuid?.() === 0),
  ];
  for (const { name, state, detail } of checks) {
    if (options.json) stdout.json({ type: "check", name, state, detail });
    else if (!options.quiet || state !== "ok") {
      const colour = { ok: "green", warn: "yellow", missing: "red" } as const;
      const mark = { colour: colour[state], text: state.padEnd(7) };
      stdout.line([mark, `  ${name.padEnd(14)}  ${detail}`]);
    }
  }
  return checks.some(({ state }) => state === "missing") ? MISSING_ON_HOST : 0;
};

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  const fits = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  return fits
    ? check("Node", "ok", version)
    : check("Node", "missing", `${version}; ${OLDEST_NODE.join(".")} or later is needed`);
}

function checkEngine(): Check[] {
  let status: EngineStatus;
  try {
    status = engineStatus();
  } catch (error) {
    const reason = error instanceof BlockhaulError ? error.message : String(error);
    // The binary is there; it is told to do what it cannot.
    if (error instanceof BlockhaulError && error.code === "ERR_INVALID_ARGUMENT") {
      return [check("I/O", "missing", reason)];
    }
    return [check("native binary", "missing", reason)];
  }
  return [check("native binary", "ok", "loaded"), ...describeEngine(status)];
}

export function describeEngine({ io, zeroDetection, librbd }: EngineStatus): Check[] {
  return [
    io.io === "io_uring"
      ? check("I/O", "ok", io.io)
      : check("I/O", "warn", `${io.io}${io.reason === undefined ? "" : `: ${io.reason}`}`),
    check("zero detection", "ok", zeroDetection),
    librbd.available
      ? check("librbd", "ok", librbd.version ?? "loaded")
      : check("librbd", "warn", `rbd: cannot be used: ${librbd.reason ?? "no reason given"}`),
  ];
}

export function checkTool({ name, package: bringsIt, path, without }: ToolStatus): Check {
  if (path !== undefined) return check(name, "ok", path);
  return check(name, "warn", `missing, so ${without}: apt-get install ${bringsIt}`);
}

/** The two limits that matter here; Infinity where there is none. */
export interface Limits {
  readonly files: number;
  readonly lockedMemory: number;
}

export function checkLimits(limits: Limits | undefined, isRoot: boolean): Check[] {
  if (limits === undefined) return [check("limits", "warn", "/proc/self/limits cannot be read")];
  const { files, lockedMemory } = limits;
  const locked = Number.isFinite(lockedMemory) ? formatSize(lockedMemory) : "unlimited";
  return [
    files >= WANTED_FILES
      ? check("open files", "ok", String(files))
      : check("open files", "warn", `${files}; many copies at once need more (ulimit -n)`),
    isRoot || lockedMemory >= WANTED_LOCKED_MEMORY
      ? check("locked memory", "ok", isRoot ? `${locked}, which does not bind root` : locked)
      : check("locked memory", "warn", `${locked}; older kernels then register fewer buffers`),
  ];
}

/** Soft limits out of the text of /proc/self/limits. */
export function parseLimits(text: string): Limits | undefined {
  const soft = (name: string) => {
    const value = new RegExp(`^${name}\\s+(\\d+|unlimited)\\s`, "m").exec(text)?.[1];
    return value === "unlimited" ? Number.POSITIVE_INFINITY : value && Number(value);
  };
  const files = soft("Max open files");
  const lockedMemory = soft("Max locked memory");
  if (typeof files !== "number" || typeof lockedMemory !== "number") return undefined;
  return { files, lockedMemory };
}

function readLimits(): Limits | undefined {
  try {
    return parseLimits(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    return undefined;
  }
}

function check(name: string, state: CheckState, detail: string): Check {
  return { name, state, detail };
}
