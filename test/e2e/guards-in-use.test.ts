/** The guards at work, through the command: what is really mounted, held, watched or written to. */
import { closeSync, copyFileSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { type LoopDevice, LoopDevices } from "../support/loop.js";
import { Holder, Mounted, run, Swapped } from "../support/mounted.js";
import { itWhere, needsRoot } from "../support/needs.js";
import { RbdPool } from "../support/rbd-pool.js";
import { refuses } from "../support/refusals.js";
import { clearIfSeen } from "../support/sight.js";
import { Workspace } from "../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
const loops = new LoopDevices();
const mountPoint = workspace.path("a mount point");
let source: string;
let count = 0;

beforeAll(() => {
  source = workspace.path("source.img");
  writeFileSync(source, "content ".repeat(MiB / 8));
});
afterAll(async () => {
  await loops[Symbol.asyncDispose]();
  workspace[Symbol.dispose]();
});

function emptyImage(size = 32 * MiB): string {
  count += 1;
  const file = workspace.path(`image-${count}`);
  writeFileSync(file, "");
  truncateSync(file, size);
  return file;
}

async function formatted(): Promise<LoopDevice> {
  const device = await loops.attach(emptyImage());
  run("mkfs.ext4", "-q", device.path);
  return device;
}

/** What a dry run says of each guard. */
async function findings(...args: readonly string[]): Promise<Record<string, [string, string]>> {
  const { stdout } = await blockhaul(["copy", "--dry-run", "--json", ...args]);
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const guards = events.filter(({ type }) => type === "guard");
  return Object.fromEntries(guards.map(({ guard, state, found }) => [guard, [state, found]]));
}

const live = (says: RegExp) => ({ status: 4, code: "ERR_LIVE_SOURCE", says });
const inUse = (says: RegExp) => ({ status: 4, code: "ERR_IN_USE", says });

describe("a target", () => {
  it("that is mounted is refused with its mount point, and written to once that is allowed", async () => {
    const { path, backing } = await formatted();
    using _ = new Mounted(path, mountPoint);
    const event = await refuses(["copy", source, path], inUse(/it is mounted on .*a mount point$/));
    expect(event.hint).toContain("--allow-mounted");
    const one = await blockhaul(["copy", "--allow-mounted", source, path]);
    expect([one.status, one.stderr]).toEqual([4, expect.stringContaining("ext4")]);
    expect(await findings("--allow-mounted", source, path)).toMatchObject({
      mounted: ["allowed", expect.stringContaining("it is mounted on")],
      held: [clearIfSeen, expect.any(String)],
      signature: ["refused", expect.any(String)],
    });
    const both = await blockhaul(["copy", "--allow-mounted", "--allow-signature", source, path]);
    expect(both).toMatchObject({ status: 0, stderr: "" });
    run("cmp", "-n", String(MiB), source, path);
    expect(backing).toBeTruthy();
  });

  it("a partition of which is mounted is refused, and so is that partition alone", async () => {
    const file = emptyImage();
    run("sgdisk", "--new=1:2048:+8M", "--new=2", file);
    const { path } = await loops.attach(file);
    run("partx", "--update", path);
    run("mkfs.ext4", "-q", `${path}p1`);
    {
      using _ = new Mounted(`${path}p1`, mountPoint);
      await refuses(["copy", source, path], inUse(/loop\d+p1 is mounted on /));
      await refuses(["copy", source, `${path}p1`], inUse(/it is mounted on /));
      expect((await blockhaul(["copy", source, `${path}p2`])).status, "the other").toBe(0);
    }
    const found = await findings(source, path);
    expect([found.mounted?.[0], found.held?.[0]], "unmounted").toEqual([clearIfSeen, clearIfSeen]);
    run("partx", "--delete", path);
  });

  it("that is mounted for others alone is refused", async () => {
    const { path } = await formatted();
    // What is mounted below a private mount is seen by nobody else. The root itself may be no mount point.
    const folder = workspace.path("private");
    run("mkdir", "-p", `${folder}/elsewhere`);
    using _folder = new Mounted(folder, folder, "bind");
    run("mount", "--make-private", folder);
    const script = `mount ${path} ${folder}/elsewhere && echo there && read -r line`;
    const apart = ["--mount", "--propagation", "unchanged"];
    await using _ = await Holder.start("unshare", ...apart, "sh", "-c", script);
    await refuses(["copy", source, path], inUse(/is mounted on .*elsewhere for process \d+/));
  });

  it("that is swap is refused, as a device and as a file", async () => {
    const { path } = await loops.attach(emptyImage());
    {
      using _ = new Swapped(path);
      await refuses(["copy", source, path], inUse(/it is used as swap/));
    }
    const file = workspace.path("swap.img");
    run("dd", "if=/dev/zero", `of=${file}`, "bs=1M", "count=16", "status=none");
    run("chmod", "600", file);
    {
      using _ = new Swapped(file);
      await refuses(["copy", source, file], { status: 4, code: "ERR_IN_USE", says: /swap/ });
    }
    expect((await findings(source, file)).mounted?.[0]).toBe(clearIfSeen);
  });

  it("that is an image behind a loop device is refused, whatever its name", async () => {
    const { path, backing } = await formatted();
    const link = `${backing}.link`;
    run("ln", backing, link);
    await refuses(["copy", source, link], inUse(/it is held by the loop device loop\d+$/));
    using _ = new Mounted(path, mountPoint);
    const found = await findings("--allow-held", source, link);
    expect(found).toMatchObject({
      mounted: ["refused", expect.stringMatching(/^loop\d+ is mounted on /)],
      held: ["allowed", expect.stringContaining("loop device")],
    });
  });

  it("that a process writes to is refused with its name; one that reads is not", async () => {
    const target = emptyImage();
    {
      await using writer = await Holder.ofFile(target, "r+");
      const event = await refuses(
        ["copy", source, target],
        inUse(new RegExp(`process ${writer.pid} \\(.+\\) has it open for writing`)),
      );
      expect(event.hint).toContain("--allow-held");
      const allowed = await blockhaul(["copy", "--allow-held", source, target]);
      expect(allowed).toMatchObject({ status: 0, stderr: "" });
    }
    await using _ = await Holder.ofFile(target, "r");
    expect((await blockhaul(["copy", source, target])).status).toBe(0);
  });

  it("that a process reaches through its whole disk, or the file below, is refused", async () => {
    const file = emptyImage();
    run("sgdisk", "--new=1:2048:+8M", file);
    const { path } = await loops.attach(file);
    run("partx", "--update", path);
    const ends = [`${path}p1`, path];
    {
      await using disk = await Holder.ofFile(path, "r+");
      const says = new RegExp(`process ${disk.pid} \\(.+\\) has loop\\d+ open for writing`);
      await refuses(["copy", source, `${path}p1`], inUse(says));
      await refuses(["copy", `${path}p1`, "null:"], live(says));
    }
    {
      await using below = await Holder.ofFile(file, "r+");
      const says = new RegExp(`process ${below.pid} \\(.+\\) has the file that it lies on open`);
      for (const end of ends) {
        await refuses(["copy", source, end], inUse(says));
        await refuses(["copy", end, "null:"], live(says));
      }
    }
    await using _ = await Holder.ofFile(path, "r");
    expect((await blockhaul(["copy", source, `${path}p1`])).status, "one that reads").toBe(0);
    run("partx", "--delete", path);
  });

  it("that another copy of a device writes to is refused with its process", async () => {
    const { path } = await loops.attach(emptyImage());
    await using other = await Holder.ofVolume(path, "write");
    await refuses(["copy", source, path], inUse(new RegExp(`process ${other.pid} `)));
  });

  it("that nobody uses is refused by none", async () => {
    const { path } = await loops.attach(emptyImage());
    const file = emptyImage();
    for (const target of [path, file, workspace.path("missing.img"), "null:"]) {
      const found = await findings(source, target);
      expect(Object.keys(found), target).toHaveLength(8);
      const isThere = target === path || target === file;
      for (const [guard, [state]] of Object.entries(found)) {
        const needsSight = isThere && ["mounted", "held"].includes(guard);
        expect(state, `${guard} of ${target}`).toBe(needsSight ? clearIfSeen : "clear");
      }
    }
  });
});

describe("a source", () => {
  it("that is mounted is refused, unless nobody can write to it", async () => {
    const { path } = await formatted();
    {
      using _ = new Mounted(path, mountPoint);
      const event = await refuses(["copy", path, "null:"], live(/it is mounted on /));
      expect(event.hint).toContain("--allow-live-source");
      const allowed = await blockhaul(["copy", "--allow-live-source", path, "null:"]);
      expect(allowed).toMatchObject({ status: 0, stderr: "" });
    }
    using _ = new Mounted(path, mountPoint, "ro,noload");
    expect((await blockhaul(["copy", path, "null:"])).status).toBe(0);
  });

  it("that a process writes to is refused; one that reads is not", async () => {
    const file = emptyImage();
    {
      await using writer = await Holder.ofFile(file, "a");
      await refuses(["copy", file, "null:"], live(new RegExp(`process ${writer.pid} `)));
    }
    await using _ = await Holder.ofFile(file, "r");
    expect((await blockhaul(["copy", file, "null:"])).status).toBe(0);
  });

  it("that a process has mapped, and closed, is refused: as the source and as the target", async () => {
    const file = emptyImage();
    await using writer = await Holder.ofMapping(file);
    const says = new RegExp(`process ${writer.pid} \\(python3.*\\) has it open for writing`);
    await refuses(["copy", file, "null:"], live(says));
    await refuses(["copy", source, file], inUse(says));
  });

  itWhere(needsRoot)("that somebody writes to who does not show is refused", async () => {
    const file = emptyImage();
    await using _ = await Holder.ofFile(file, "r+");
    // A container's view: processes of its own alone.
    const under = ["unshare", "--pid", "--fork", "--mount-proc"];
    await refuses(["copy", file, "null:"], live(/somebody has it open .*, who does not show/), {
      under,
    });
  });

  it("that is an image behind a loop device is refused, unless that is read-only", async () => {
    const file = emptyImage();
    const device = await loops.attach(file);
    await refuses(["copy", file, "null:"], live(/held by the loop device/));
    await loops.detach(device);
    await loops.attach(file, { readOnly: true });
    expect((await blockhaul(["copy", file, "null:"])).status).toBe(0);
  });
});

describe("two ends", () => {
  const same = (says: RegExp) => ({ status: 4, code: "ERR_SAME_VOLUME", says });
  const everything = [
    "--allow-mounted",
    "--allow-held",
    "--allow-root-disk",
    "--allow-watched",
    "--allow-signature",
    "--allow-live-source",
  ];

  it("one of which lies on the other's file system are refused, whatever is allowed", async () => {
    const { path, backing } = await formatted();
    using mounted = new Mounted(path, mountPoint);
    const inside = `${mounted.folder}/inside.img`;
    copyFileSync(source, inside);
    await refuses(["copy", ...everything, inside, path], same(/lies on .*overwritten/));
    await refuses(["copy", ...everything, inside, backing], same(/lies on .*overwritten/));
    truncateSync(inside, 64 * MiB);
    await refuses(["copy", ...everything, path, inside], same(/lies on .*was written/));
  });

  it("that are an image and its loop device are refused, whatever is allowed", async () => {
    const { path, backing } = await loops.attach(emptyImage());
    await refuses(["copy", ...everything, backing, path], same(/same volume/));
  });

  it("on one file system are fine", async () => {
    const handle = openSync(source, "r");
    expect((await blockhaul(["copy", source, workspace.path("beside.img")])).status).toBe(0);
    closeSync(handle);
  });
});

describe("an RBD image", () => {
  let pool: RbdPool;
  beforeAll(async () => {
    pool = await RbdPool.create(inject("cephConf"), "guards");
  });
  afterAll(() => pool?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    count += 1;
    await pool.rbd("create", "--size", "8M", `image-${count}`);
  });

  it("that another client has open for writing is refused as the target", async () => {
    const ref = pool.ref(`image-${count}`);
    {
      await using _ = await Holder.ofVolume(ref, "write");
      const event = await refuses(
        ["copy", source, ref],
        inUse(/client\.\d+ at [\d.:/]+ has it open for writing$/),
      );
      expect(event.hint).toContain("--allow-watched");
      // The other one holds no lock that it would not give away.
      const allowed = await blockhaul(["copy", "--allow-watched", source, ref]);
      expect(allowed).toMatchObject({ status: 0, stderr: "" });
    }
  });

  it("that only this copy has open is not refused, nor one that others only read", async () => {
    const ref = pool.ref(`image-${count}`);
    await using _ = await Holder.ofVolume(ref, "read");
    expect((await findings(source, ref)).watched).toEqual(["clear", "no other client has it open"]);
    expect((await blockhaul(["copy", source, ref])).status).toBe(0);
  });

  it("that another client has open for writing is refused as the source; its snapshot is not", async () => {
    const ref = pool.ref(`image-${count}`);
    await pool.rbd("snap", "create", `image-${count}@frozen`);
    await using _ = await Holder.ofVolume(ref, "write");
    const event = await refuses(["copy", ref, "null:"], {
      status: 4,
      code: "ERR_LIVE_SOURCE",
      says: /client\.\d+ at /,
    });
    expect(event.hint).toContain("--allow-live-source");
    const snapshot = pool.ref(`image-${count}@frozen`);
    expect((await findings(snapshot, "null:"))["live-source"]).toEqual([
      "clear",
      "it is a snapshot",
    ]);
    expect((await blockhaul(["copy", "--allow-live-source", ref, "null:"])).status).toBe(0);
  });
});
