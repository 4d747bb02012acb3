/** Whether an end still is the volume that was named, asked of a driver that answers whatever a test wants. */
import {
  BlockhaulError,
  copyVolume,
  digestVolume,
  type OpenedVolume,
  openVolume,
  registerDriver,
  type VolumeDriver,
  type VolumeLook,
  verifyVolumes,
} from "blockhaul";
import { describe, expect, it } from "vitest";

import { differenceOf, End, whileSame } from "../../../src/copy/ends.js";
import { JsVolumes } from "../../support/js-volumes.js";

const SIZE = 1024 ** 2;
const look: VolumeLook = {
  identity: "disk 1",
  size: SIZE,
  born: "monday",
  attached: "once",
  names: { "8:0": "serial number 1", "8:16": "serial number 2" },
};

/** What the driver answers, the last of them for good. */
interface Answers {
  readonly looks?: readonly (VolumeLook | undefined | Error)[];
  readonly stamps?: readonly (string | undefined)[];
}

const answers = new Map<string, Answers>();
const js = new JsVolumes();
const driver: VolumeDriver<string> = {
  ...js.driver,
  name: "ends",
  schemes: ["ends"],
  parseRef: (ref) => ref.slice("ends:".length),
  openVolume: async (name) => {
    const bytes = Buffer.alloc(SIZE, 7);
    const volume = {
      size: SIZE,
      identity: name.startsWith("source") ? "disk 1" : "disk 2",
      read: (buffer: Uint8Array, { position }: { position: number }) => {
        buffer.set(bytes.subarray(position, position + buffer.length));
      },
      write: (buffer: Uint8Array, { position }: { position: number }) => {
        bytes.set(buffer, position);
      },
      sync: () => {},
    };
    const { looks, stamps } = answers.get(name) ?? {};
    const next = <Item>(list: readonly Item[]) => {
      let at = 0;
      return () => list[Math.min(at++, list.length - 1)] as Item;
    };
    const [nextLook, nextStamp] = [looks && next(looks), stamps && next(stamps)];
    const opened: OpenedVolume = {
      volume,
      ...(nextLook && {
        identify: async () => {
          const found = nextLook();
          if (found instanceof Error) throw found;
          return found;
        },
      }),
      ...(nextStamp && { writeStamp: async () => nextStamp() }),
    };
    return opened;
  },
};
registerDriver(driver);

let count = 0;
async function open(side: "source" | "target", given: Answers) {
  const name = `${side}-${++count}`;
  answers.set(name, given);
  return openVolume(`ends:${name}`, { mode: side === "source" ? "read" : "write" });
}
const sourceOf = (...looks: (VolumeLook | undefined | Error)[]) => open("source", { looks });
const other: VolumeLook = { ...look, identity: "disk 2" };
const targetOf = (...looks: (VolumeLook | undefined | Error)[]) => open("target", { looks });

describe("the difference between two looks", () => {
  it("is none of the same", () => {
    expect(differenceOf(look, { ...look })).toBeUndefined();
  });

  it.each<[string, VolumeLook | undefined]>([
    ["nothing has the name", undefined],
    ["another identity", { ...look, identity: "disk 2" }],
    ["smaller", { ...look, size: SIZE - 512 }],
    ["larger", { ...look, size: SIZE + 512 }],
    ["born at another time", { ...look, born: "tuesday" }],
    ["attached anew", { ...look, attached: "twice" }],
    ["of another disk", { ...look, names: { ...look.names, "8:16": "serial number 3" } }],
    ["its birth is not known any more", { ...look, born: undefined }],
    ["its attachment is not known any more", { ...look, attached: undefined }],
    ["its names are not known any more", { ...look, names: undefined }],
  ])("is said: %s", (_, found) => {
    expect(differenceOf(look, found)).toBeTypeOf("string");
  });

  it.each([
    ["is silent", { "8:0": "serial number 1" }],
    ["was taken in", { ...look.names, "8:32": "serial number 3" }],
    ["took the other's place", { "8:16": "serial number 2", "8:32": "serial number 3" }],
  ])("is none where one of several disks %s", (_, names) => {
    expect(differenceOf(look, { ...look, names })).toBeUndefined();
  });
});

describe("a copy looks its ends up again", () => {
  const same = () => Promise.all([sourceOf(look), targetOf(other)]);

  it("and is done where both are what they were", async () => {
    const [source, target] = await same();
    const report = await copyVolume(source, target, { verify: true });
    expect(report).toMatchObject({ notIdentified: [], sourceWrites: "unknown" });
  });

  it.each([undefined, { ...look, size: 512 }, { ...look, identity: "disk 3" }])(
    "and fails where the source is %o after the bytes were moved",
    async (now) => {
      const source = await sourceOf(look, now);
      const failed = await refusal(copyVolume(source, await targetOf(other)));
      expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED", side: "source" });
    },
  );

  it.each([undefined, { ...other, size: 2 * SIZE }, { ...other, born: "tuesday" }])(
    "and fails where the target is %o after the bytes were moved",
    async (now) => {
      const target = await targetOf(other, now);
      const failed = await refusal(copyVolume(await sourceOf(look), target));
      expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED", side: "target" });
    },
  );

  it.each(["source", "target"] as const)("and after the verification, too: %s", async (side) => {
    const source = side === "source" ? await sourceOf(look, look, undefined) : await sourceOf(look);
    const target =
      side === "target" ? await targetOf(other, other, undefined) : await targetOf(other);
    const failed = await refusal(copyVolume(source, target, { verify: true }));
    expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED", side });
  });

  it("and before the first byte, since a name may lead elsewhere from the open on", async () => {
    const failed = await refusal(
      copyVolume(await sourceOf(other), await targetOf(other), { onGuards: () => expect.fail() }),
    );
    expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED", side: "source" });
  });

  it("and does not take a look that fails for a good one", async () => {
    const denied = Object.assign(new Error("no"), { code: "EACCES" });
    const failed = await refusal(copyVolume(await sourceOf(look, denied), await targetOf(other)));
    expect(failed.side).toBe("source");
    expect(failed.message).toContain("no");
  });

  it("and says which ends no driver can look up", async () => {
    const source = await open("source", {});
    const report = await copyVolume(source, await targetOf(other));
    expect(report.notIdentified).toEqual([source.ref]);
  });
});

describe("the stamp of the source", () => {
  const copyWith = async (stamps: (string | undefined)[], allow: "live-source"[] = []) => {
    const source = await open("source", { looks: [look], stamps });
    return copyVolume(source, await targetOf(other), { allow, verify: true });
  };

  it("that stays says that nobody wrote", async () => {
    expect(await copyWith(["1"])).toMatchObject({ sourceWrites: "none" });
  });

  it.each([[["1", "2"]], [["1", undefined]], [["1", "1", "2"]]])(
    "that is another ends the copy: %o",
    async (stamps) => {
      const failed = await refusal(copyWith(stamps));
      expect(failed).toMatchObject({ code: "ERR_LIVE_SOURCE", side: "source" });
    },
  );

  it("that is another can be allowed, and the report says so", async () => {
    expect(await copyWith(["1", "2"], ["live-source"])).toMatchObject({ sourceWrites: "allowed" });
  });

  it("that was never known is not one that stays", async () => {
    expect(await copyWith([undefined])).toMatchObject({ sourceWrites: "unknown" });
  });
});

it("a target that is written to while it is read back is not verified", async () => {
  const target = await open("target", { looks: [other], stamps: ["1", "2"] });
  const failed = await refusal(copyVolume(await sourceOf(look), target, { verify: true }));
  expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED", side: "target" });
});

describe("a comparison looks its volumes up again", () => {
  it.each(["source", "target"] as const)("after they were read: %s", async (side) => {
    const source = await sourceOf(look, side === "source" ? undefined : look);
    const target = await targetOf(other, side === "target" ? undefined : other);
    const failed = await refusal(verifyVolumes(source, target));
    expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED", side });
  });

  it("and so does a digest", async () => {
    const failed = await refusal(digestVolume(await sourceOf(look, undefined)));
    expect(failed).toMatchObject({ code: "ERR_VOLUME_CHANGED" });
    expect((await digestVolume(await open("source", {}))).notIdentified).toHaveLength(1);
  });
});

it("what changes meanwhile stops the work, and is what is thrown", async () => {
  const end = await End.begin(await sourceOf(look, undefined), "source", 0);
  const work = whileSame([end], { intervalMs: 1, signal: undefined }, async (signal) => {
    await new Promise((resolve) => signal?.addEventListener("abort", resolve));
    throw new BlockhaulError("ERR_CANCELLED");
  });
  expect(await refusal(work)).toMatchObject({ code: "ERR_VOLUME_CHANGED", side: "source" });
});

async function refusal(promise: Promise<unknown>): Promise<BlockhaulError> {
  return promise.then(
    () => expect.fail("it was not refused"),
    (error: BlockhaulError) => error,
  );
}
