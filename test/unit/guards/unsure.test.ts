/** What nobody can see is never called clear. */
import { writeFileSync } from "node:fs";
import {
  checkGuards,
  copyVolume,
  type GuardFinding,
  openVolume,
  registerDriver,
  type VolumeDriver,
} from "blockhaul";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";

import { checkLiveSource } from "../../../src/guards/live-source.js";
import { checkRootDisk } from "../../../src/guards/root-disk.js";
import { whyFileLocksMayBeMissed } from "../../../src/usage/file-locks.js";
import { deviceOf, type HostNode } from "../../../src/usage/node.js";
import { Stack } from "../../../src/usage/stack.js";
import { whyDevicesAreUnseen, whyProcessesAreUnseen } from "../../../src/usage/unseen.js";
import { usesSeenOf } from "../../../src/usage/uses.js";
import { holdVolume } from "../../../src/volume.js";
import { FakeHost } from "../../support/fake-host.js";
import { Workspace } from "../../support/workspace.js";

const MiB = 1024 ** 2;
const workspace = new Workspace();
afterAll(() => workspace[Symbol.dispose]());

/** It says nothing of its volumes but their size. */
const silent: VolumeDriver<string> = {
  name: "silent",
  schemes: ["silent"],
  summary: "read and write only",
  refForms: ["silent:NAME"],
  supports: {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: false,
    snapshots: false,
    delete: false,
  },
  parseRef: (ref) => ref,
  async openVolume(_ref, { mode }) {
    const bytes = Buffer.alloc(MiB);
    return {
      volume: {
        size: MiB,
        readOnly: mode === "read",
        async read(buffer, { position }) {
          return { bytesRead: bytes.copy(buffer, 0, position) };
        },
        async write(buffer, { position }) {
          bytes.set(buffer, position);
          return { bytesWritten: buffer.byteLength };
        },
      },
    };
  },
};
registerDriver(silent);

const UNTOLD = "its driver does not tell who uses it";
const UNKNOWN =
  "its driver does not tell which volume it is: other copies are not kept away from it";

describe("a volume whose driver tells nothing of its users", () => {
  const shown = (findings: readonly GuardFinding[]) =>
    Object.fromEntries(findings.map(({ guard, side, state }) => [`${guard} ${side}`, state]));

  it("is clear of nothing as the target, but of what was read on it", async () => {
    await using source = await openVolume("zero:1MiB");
    await using target = await openVolume("silent:b", { mode: "write" });
    const findings = await checkGuards(source, target);
    expect(shown(findings)).toEqual({
      "exclusion source": "clear",
      "exclusion target": "unsure",
      "same-volume target": "clear",
      "mounted target": "unsure",
      "held target": "unsure",
      "root-disk target": "unsure",
      "watched target": "unsure",
      "signature target": "clear",
      "live-source source": "clear",
    });
  });

  it("may lie on the other end, for all that is known", async () => {
    await using source = await openVolume("silent:a");
    await using target = await openVolume("silent:b", { mode: "write" });
    const findings = await checkGuards(source, target);
    expect(shown(findings)).toMatchObject({
      "exclusion source": "unsure",
      "same-volume target": "unsure",
      "live-source source": "unsure",
    });
  });

  it("has that in the report, once of each end", async () => {
    await using source = await openVolume("silent:a");
    await using target = await openVolume("silent:b", { mode: "write" });
    const { notExcluded } = await copyVolume(source, target, {
      stateDirectory: workspace.path("state"),
    });
    expect([...notExcluded].sort()).toEqual([
      `source: ${UNKNOWN}`,
      `source: ${UNTOLD}`,
      "target: a driver does not tell what its volume lies on",
      `target: ${UNKNOWN}`,
      `target: ${UNTOLD}`,
    ]);
  });
});

describe("a lock on a file", () => {
  it("is met by all, where its file system is known to show it", async () => {
    const file = workspace.path("disk");
    writeFileSync(file, "content");
    expect(await whyFileLocksMayBeMissed(file)).toBeUndefined();
  });

  it.each(["/proc/self/status", "/missing"])(
    "may be missed on what is not known: %s",
    async (file) => {
      expect(await whyFileLocksMayBeMissed(file)).toMatch(/^its file system may not show locks/);
    },
  );
});

describe("what this process cannot see", () => {
  let host: FakeHost;
  let file: HostNode;
  beforeEach(() => {
    host = new FakeHost();
    host.device("sda", { number: "8:0", partitions: { sda1: "8:1" } });
    file = { major: 8, minor: 1, inode: "1234" };
  });
  afterEach(() => host[Symbol.dispose]());

  const device = (number: string) => deviceOf(number) as HostNode;
  const devices = (node: HostNode) => whyDevicesAreUnseen(node, new Stack(host));

  it.each(["8:0", "8:1"])("is nothing that is built on %s, which sysfs has", async (number) => {
    expect(await devices(device(number))).toBeUndefined();
    expect(await devices(file)).toBeUndefined();
  });

  it("is what is built on a device that sysfs does not have", async () => {
    expect(await devices(device("8:32"))).toMatch(/sys does not show it: what is built on it/);
    expect(await checkRootDisk(device("8:32"), new Stack(host))).toMatchObject({ state: "unsure" });
    const { uses, unseen } = await usesSeenOf(device("8:32"), new Stack(host));
    expect(uses).toEqual([]);
    expect(unseen).toMatch(/does not show it/);
  });

  it("is a loop device over a file, without sysfs", async () => {
    const bare = { sysfs: host.path("missing"), proc: host.proc };
    expect(await whyDevicesAreUnseen(file, new Stack(bare))).toMatch(/loop devices over it/);
  });

  it("is the file behind a loop device of which nobody tells", async () => {
    const attributes = { "loop/backing_file": "/of/another/mount (deleted)" };
    host.device("loop0", { number: "7:0", attributes });
    expect(await devices(file)).toMatch(/loop device nobody tells/);
    expect(await devices(device("8:0"))).toBeUndefined();
  });

  const processes = (incomplete: boolean) => whyProcessesAreUnseen(incomplete, host);
  const namespace = (number: string) => host.process(1, "init", "/", "0").namespaceOf(number);

  it("is no process of a host whose first namespace this is", () => {
    namespace("pid:[4026531836]");
    expect(processes(false)).toBeUndefined();
  });

  it("is a process that this user may not look into", () => {
    namespace("pid:[4026531836]");
    expect(processes(true)).toMatch(/this user may not look into/);
  });

  it("is the first process, where /proc hides those of others", () => {
    host.namespaceOf("pid:[4026531836]");
    expect(processes(false)).toMatch(/this user may not look into/);
  });

  it("is what runs outside this container", () => {
    namespace("pid:[4026532999]");
    expect(processes(false)).toMatch(/outside this container/);
  });
});

describe("a source of which the kernel says that somebody writes to it", () => {
  const nobody = { uses: [], unseen: undefined, isOwn: false };

  it.each([
    ["refused where nobody shows", nobody, "some", "refused"],
    [
      "refused where somebody may not show",
      { ...nobody, unseen: "a container" },
      "some",
      "refused",
    ],
    ["clear where that is this process", { ...nobody, isOwn: true }, "some", "clear"],
    ["clear where it does not say so, and all can be seen", nobody, "unknown", "clear"],
  ] as const)("is %s", async (_, sight, writers, state) => {
    const file = workspace.path("written");
    writeFileSync(file, "content");
    await using volume = await openVolume(file);
    const verdict = await holdVolume(volume, "copy", (native) =>
      checkLiveSource({ volume, native }, sight, writers),
    );
    expect(verdict.state).toBe(state);
  });
});
