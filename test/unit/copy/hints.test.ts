/** A source that says it holds nothing where it does: what is to prove a copy must not believe it. */
import { writeFileSync } from "node:fs";
import {
  copyVolume,
  digestVolume,
  type Extent,
  openVolume,
  registerDriver,
  verifyManifest,
  verifyVolumes,
} from "blockhaul";
import { describe, expect, it } from "vitest";

import { flipByte } from "../../support/flip.js";
import { bufferVolume, JsVolumes } from "../../support/js-volumes.js";
import { Random } from "../../support/random.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;
const SIZE = 24 * MiB;
const HIDDEN = { offset: 8 * MiB, length: 4 * MiB };
const EXTENTS: readonly Extent[] = [
  { offset: 0, length: 8 * MiB, kind: "data" },
  { ...HIDDEN, kind: "hole" },
  { offset: 12 * MiB, length: 12 * MiB, kind: "data" },
];

const volumes = new JsVolumes();
registerDriver(volumes.driver);
const bytes = new Random("hints").bytes(SIZE);
const liar = volumes.add("liar", bufferVolume(bytes, { extents: EXTENTS }));
const honest = volumes.add("honest", bufferVolume(bytes));

const open = (ref: string) => openVolume(ref);
const newTarget = (workspace: Workspace) =>
  openVolume(workspace.path("target"), { mode: "write", create: { size: SIZE } });

it("is copied without what it hides, which `verify` alone cannot know: the report says what it compared", async () => {
  using workspace = new Workspace();
  await using source = await open(liar);
  await using target = await newTarget(workspace);
  const { verification, read } = await copyVolume(source, target, { verify: true });
  expect(read).toBe(SIZE - HIDDEN.length);
  // The target is read whole, holes and all.
  expect(verification).toMatchObject({ against: "what was read", read: SIZE, size: SIZE });
});

it.each([false, true])('is found out by verify: "source", with a journal: %s', async (journal) => {
  using workspace = new Workspace();
  await using source = await open(liar);
  await using target = await newTarget(workspace);
  const stateDirectory = workspace.path("state");
  const options = { verify: "source", journal, stateDirectory } as const;
  await expect(copyVolume(source, target, options)).rejects.toMatchObject({
    code: "ERR_VERIFICATION",
    side: "source",
    offset: HIDDEN.offset,
    ranges: [HIDDEN],
  });
  const whole = await copyVolume(source, target, { verify: "source", useExtents: false });
  expect(whole.verification).toMatchObject({ against: "source", read: 2 * SIZE });
});

it("is read whole by a comparison, with a volume or with a manifest, and by a digest", async () => {
  using workspace = new Workspace();
  await using source = await open(liar);
  await using target = await newTarget(workspace);
  const manifest = workspace.path("manifest");
  await copyVolume(source, target, { manifest });
  const differs = { code: "ERR_VERIFICATION", ranges: [HIDDEN] };
  await expect(verifyVolumes(source, target)).rejects.toMatchObject(differs);
  await expect(verifyManifest(source, manifest)).rejects.toMatchObject(differs);
  await using twin = await open(honest);
  const found = await digestVolume(source);
  expect(found).toMatchObject({ read: SIZE, fast: false });
  expect(found.digest).toBe((await digestVolume(twin)).digest);
});

it("is believed with `fast`, and the report says so", async () => {
  using workspace = new Workspace();
  await using source = await open(liar);
  await using target = await newTarget(workspace);
  await copyVolume(source, target);
  const report = await verifyVolumes(source, target, { fast: true });
  expect(report).toMatchObject({ fast: true, size: SIZE, read: 2 * (SIZE - HIDDEN.length) });
  expect(await digestVolume(source, { fast: true })).toMatchObject({
    fast: true,
    read: SIZE - HIDDEN.length,
  });
});

it('takes no other word for verify than "source"', async () => {
  using workspace = new Workspace();
  await using source = await open(honest);
  await using target = await newTarget(workspace);
  const verify = "target" as unknown as "source";
  await expect(copyVolume(source, target, { verify })).rejects.toThrow(
    'verify must be true, false or "source"',
  );
});

describe("a volume that somebody writes to while it is read", () => {
  /** Writes to the file once some of it was read. */
  function reading(file: string) {
    let written = false;
    const onProgress = () => {
      if (written) return;
      written = true;
      flipByte(file, SIZE - 1);
    };
    return { onProgress, progressIntervalMs: 1, iopsLimit: 40, requestSize: MiB } as const;
  }

  it("has no digest, and is not what another volume is", async () => {
    using workspace = new Workspace();
    const [file, twin] = [workspace.path("file"), workspace.path("twin")];
    for (const one of [file, twin]) writeFileSync(one, bytes);
    await using volume = await openVolume(file);
    await using other = await openVolume(twin);
    const changed = { code: "ERR_VOLUME_CHANGED", volume: file };
    await expect(digestVolume(volume, reading(file))).rejects.toMatchObject(changed);
    await expect(verifyVolumes(other, volume, reading(file))).rejects.toMatchObject({
      ...changed,
      side: "target",
    });
    await expect(verifyVolumes(volume, other, reading(file))).rejects.toMatchObject({
      ...changed,
      side: "source",
    });
  });

  it("is said to be unknown where its storage keeps no account of that", async () => {
    await using volume = await open(honest);
    expect(await digestVolume(volume)).toMatchObject({ writesUnknown: [honest] });
    using workspace = new Workspace();
    writeFileSync(workspace.path("file"), bytes);
    await using file = await openVolume(workspace.path("file"));
    expect(await verifyVolumes(volume, file)).toMatchObject({ writesUnknown: [honest] });
    expect(await digestVolume(file)).toMatchObject({ writesUnknown: [] });
  });
});
