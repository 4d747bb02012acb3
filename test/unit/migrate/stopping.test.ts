/** Stopped on request, in whatever state: it can go on, and back. */
import type { MigrationState } from "blockhaul";
import { describe, expect, it } from "vitest";

import { errorOf, type Stage, stageOf } from "./stage.js";

const KINDS = [
  { name: "the engine", abilities: {}, options: { rename: true, deleteSource: true } },
  { name: "a snapshot", abilities: { snapshots: true }, options: { rename: true } },
  { name: "a short way", abilities: { shortWay: true }, options: { deleteSource: true } },
  {
    name: "carried snapshots",
    abilities: { snapshots: true },
    snapshots: ["monday", "tuesday"],
    options: { withSnapshots: true, deleteSource: true },
  },
];
const STATES: readonly MigrationState[] = [
  "creating",
  "freezing",
  "copying",
  "verifying",
  "handing-over",
];

describe.each(KINDS)("with $name", ({ abilities, snapshots = [], options }) => {
  async function stopIn(state: MigrationState): Promise<Stage> {
    const stage = await stageOf(abilities, snapshots);
    const stop = new AbortController();
    const reason = new Error("enough");
    const error = await errorOf(
      stage.migrate({
        ...options,
        signal: stop.signal,
        progressIntervalMs: 1,
        onEvent: (event) => {
          if (event.type === "state" && event.state === state) stop.abort(reason);
        },
      }),
    );
    expect(error.code).toBe("ERR_CANCELLED");
    expect(await stage.status()).toMatchObject({ state: "interrupted", resumable: true });
    stage.sourceIsUnchanged();
    return stage;
  }

  it.each(STATES)("goes on from %s", async (state) => {
    const stage = await stopIn(state);
    await stage.resume();
    await stage.isDone();
  });

  it.each(STATES)("goes back from %s", async (state) => {
    const stage = await stopIn(state);
    await stage.abort();
    await stage.isUndone();
  });
});
