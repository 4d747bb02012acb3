/** A target that is to be larger than its source: what lies behind the copied bytes is zero, whatever was there. */
import { readFileSync, writeFileSync } from "node:fs";
import { openVolume, zeroRest } from "blockhaul";
import { expect, it } from "vitest";

import { Workspace } from "../../support/workspace.js";
import { errorOf, ioError, stageOf } from "./stage.js";

const MORE = 3 * 1024 ** 2;

it("is made so, also by a run that goes on, and its rest is zero", async () => {
  const stage = await stageOf();
  const source = readFileSync(stage.source);
  const size = source.length + MORE;
  const hooks = { beforeHandover: ioError };
  expect((await errorOf(stage.migrate({ size, hooks }))).code).toBe("ERR_HOOK");
  const { target, targetSize } = await stage.resume({ hooks: { beforeHandover: () => {} } });
  expect({ target, targetSize }).toEqual({ target: `${stage.to}:disk`, targetSize: size });
  const made = readFileSync(stage.target);
  expect(made.subarray(0, source.length).equals(source)).toBe(true);
  expect(made.subarray(source.length).equals(Buffer.alloc(MORE))).toBe(true);
});

it("is made zero behind them where its storage gave it what another volume left there", async () => {
  using workspace = new Workspace();
  const file = workspace.path("volume");
  writeFileSync(file, Buffer.alloc(MORE, 7));
  {
    await using volume = await openVolume(file, { mode: "write" });
    await zeroRest(volume, 100_001);
  }
  const expected = Buffer.alloc(MORE);
  expected.fill(7, 0, 100_001);
  expect(readFileSync(file).equals(expected)).toBe(true);
});

it("is not gone a shorter way to", async () => {
  const stage = await stageOf({ shortWay: true });
  const { method } = await stage.migrate({ size: readFileSync(stage.source).length + MORE });
  expect(method).toBe("copy");
});
