/** A volume is known by more than its name, and a file by more than its inode. */
import { rmSync, statSync, writeFileSync } from "node:fs";
import { openVolume } from "blockhaul";
import { expect, it } from "vitest";

import { identityAt, identityOf } from "../../../src/migrate/identity.js";
import { nameVolume } from "../../../src/migrate/target-name.js";
import { nodeAt } from "../../../src/usage/node.js";
import type { Volume } from "../../../src/volume.js";
import { Workspace } from "../../support/workspace.js";

it("tells a file that was made anew from the one whose inode it got", async () => {
  using workspace = new Workspace();
  const path = workspace.path("disk");
  // The number is the same by decree: which one a file system gives is its own affair.
  const look = async () => {
    const info = { identity: "file:8:1/7", node: await nodeAt(path) };
    return identityOf({ info } as Volume, { location: { path } });
  };
  writeFileSync(path, "ours");
  const ours = await look();
  writeFileSync(path, "ours, written to");
  expect(await look()).toBe(ours);
  rmSync(path);
  writeFileSync(path, "somebody's");
  expect(await look()).not.toBe(ours);
});

it("is of the file that is open, not of whatever its path leads to by now", async () => {
  using workspace = new Workspace();
  const [path, other] = [workspace.path("disk"), workspace.path("other")];
  writeFileSync(path, "ours");
  writeFileSync(other, "somebody's");
  const volume = await openVolume(path);
  expect(await identityOf(volume, { location: { path: other } })).toBe(volume.info.identity);
  expect(await identityOf(volume, { location: { path } })).toBe(
    `${volume.info.identity}, born ${statSync(path, { bigint: true }).birthtimeNs}`,
  );
  await volume.close();
});

it("is none where nothing has the name", async () => {
  using workspace = new Workspace();
  const named = await nameVolume(workspace.path("nothing"));
  expect(await identityAt(named)).toBeUndefined();
});
