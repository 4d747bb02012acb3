import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { BlockhaulError, copyVolume, openVolume, type ResumedJob, resumeCopy } from "blockhaul";
import { expect, it } from "vitest";

import { Random } from "../../support/random.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;

it.each([3, 8, 9])("goes on with a read-back that was stopped, of %i MiB", async (size) => {
  using workspace = new Workspace();
  const [from, to] = [workspace.path("source.img"), workspace.path("target.img")];
  writeFileSync(from, new Random("read-back").bytes(size * MiB));
  const stateDirectory = workspace.path("state");
  const stop = new AbortController();
  let job = "";
  {
    await using source = await openVolume(from);
    await using target = await openVolume(to, { mode: "write", create: { size: size * MiB } });
    const copying = copyVolume(source, target, {
      journal: true,
      verify: true,
      stateDirectory,
      signal: stop.signal,
      onJob: (id) => {
        job = id;
      },
      onProgress: ({ phase }) => {
        if (phase === "verify") stop.abort();
      },
      progressIntervalMs: 1,
      // So that the read-back is not over before it is stopped.
      requestSize: MiB / 4,
      bandwidthLimit: 32 * MiB,
    });
    const error = await copying.catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BlockhaulError);
    expect(error.code).toBe("ERR_CANCELLED");
  }
  const resumed: ResumedJob[] = [];
  const onResume = (from: ResumedJob) => resumed.push(from);
  const report = await resumeCopy(job, { stateDirectory, onResume });
  expect(resumed).toMatchObject([{ begin: size * MiB, dropped: 0 }]);
  expect(report.verification).toBeDefined();
  execFileSync("cmp", [from, to]);
});
