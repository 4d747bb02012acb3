import { rm } from "node:fs/promises";

import type { CopyControl, CopyLimits } from "../copy/control.js";
import { onlyGiven } from "../only-given.js";
import { writeDurably } from "../system/durable-file.js";
import { isCount } from "../units.js";
import type { JobStore } from "./store.js";

/** Milliseconds between two looks at what a running job is told. */
const LOOK_MS = 250;

/** Tells the process that works on a job what to change; what is not named stays. */
export async function writeControl(store: JobStore, id: string, limits: CopyLimits): Promise<void> {
  const all = { ...(await readControl(store, id)), ...onlyGiven(limits) };
  await writeDurably(store.controlOf(id), `${JSON.stringify(all)}\n`);
}

/** What the job was told last. */
export async function readControl(store: JobStore, id: string): Promise<CopyLimits> {
  return parseLimits(await textOf(store, id));
}

/** What an earlier run was told does not count for the next. */
export async function forgetControl(store: JobStore, id: string): Promise<void> {
  await rm(store.controlOf(id), { force: true });
}

/**
 * Does what a job is told by others, until the function that it returns is called.
 */
export function followControl(store: JobStore, id: string, control: CopyControl): () => void {
  let last = "";
  const look = async () => {
    const text = await textOf(store, id);
    if (text === last) return;
    last = text;
    control.set(parseLimits(text));
  };
  const timer = setInterval(() => void look(), LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** "" where nothing is told, or by somebody else. */
async function textOf(store: JobStore, id: string): Promise<string> {
  return (await store.readSmall(store.controlOf(id)).catch(() => undefined)) ?? "";
}

/** Limits as a file holds them; what makes no sense is left out. */
export function parseLimits(text: string): CopyLimits {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof value !== "object" || value === null) return {};
  const { bandwidthLimit, iopsLimit, paused } = value as Record<string, unknown>;
  return {
    ...(isCount(bandwidthLimit) ? { bandwidthLimit } : {}),
    ...(isCount(iopsLimit) ? { iopsLimit } : {}),
    ...(typeof paused === "boolean" ? { paused } : {}),
  };
}
