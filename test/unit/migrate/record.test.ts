/** A migration's record: forgotten only after the end, torn, not to be written. */
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { abortMigration, removeMigration, resumeMigration } from "blockhaul";
import { describe, expect, it } from "vitest";

import { seal } from "../../../src/system/sealed.js";
import { flipBit } from "../../support/flip-bit.js";
import { Random } from "../../support/random.js";
import { errorOf, ioError, stageOf } from "./stage.js";

/** What a sealed text says; any of its fields is then changed. */
function recordIn(text: string) {
  const { checksum: _checksum, ...record } = JSON.parse(text);
  return record;
}

describe("a record", () => {
  it("is forgotten only after the end", async () => {
    const stage = await stageOf();
    const { stateDirectory } = stage;
    const hooks = { beforeCopy: ioError };
    expect((await errorOf(stage.migrate({ hooks }))).code).toBe("ERR_HOOK");
    const { id } = await stage.status();
    expect((await errorOf(removeMigration(id, { stateDirectory }))).code).toBe(
      "ERR_INVALID_ARGUMENT",
    );
    await stage.abort();
    await removeMigration(id, { stateDirectory });
    await expect(stage.status()).rejects.toThrow();
    expect((await errorOf(removeMigration(id, { stateDirectory }))).code).toBe("ERR_NOT_FOUND");
  });

  it("that is torn is refused, and nothing is touched", async () => {
    const stage = await stageOf();

    expect((await errorOf(stage.migrate({ hooks: { beforeCopy: ioError } }))).code).toBe(
      "ERR_HOOK",
    );
    const { file, id } = await stage.status();
    const before = stage.listing();
    const { stateDirectory } = stage;
    const text = readFileSync(file, "utf8");
    for (const torn of [text.slice(0, text.length / 2), "", "{}", "null"]) {
      writeFileSync(file, torn);
      expect((await errorOf(resumeMigration(id, { stateDirectory }))).code).toBe("ERR_JOURNAL");
      expect((await errorOf(abortMigration(id, { stateDirectory }))).code).toBe("ERR_JOURNAL");
      expect(stage.listing()).toBe(before);
    }
    writeFileSync(file, text);
    await stage.abort();
    await stage.isUndone();
  });

  it.each<[fault: string, change: Readonly<Record<string, unknown>>]>([
    ["state", { state: "finished" }],
    ["createdAt", { createdAt: 5 }],
    ["source.size", { "source.size": -1 }],
    ["source.blockSize", { "source.blockSize": undefined }],
    ["target.temporary", { "target.temporary": "" }],
    ["target.isOurs", { "target.isOurs": "yes" }],
    ["places.source", { places: { source: 5 } }],
    ["handover.0", { handover: ["deleted"] }],
    ["handover", { handover: "taken-away" }],
    ["handover", { handover: ["beforeHandover"] }],
    ["verified", { state: "handing-over" }],
    [
      "handover",
      {
        state: "handing-over",
        verified: true,
        handover: ["beforeHandover", "afterHandover", "deleting-source"],
      },
    ],
    ["settings.deleteSource", { "settings.deleteSource": 1 }],
    ["settings.allow.0", { "settings.allow": ["everything"] }],
    ["settings.unknown", { "settings.unknown": true }],
    ["tuning.memory", { "tuning.memory": "1" }],
    ["hooks.beforeCopy", { hooks: { beforeCopy: [] } }],
    ["hooks.duringCopy", { hooks: { duringCopy: ["/bin/true"] } }],
    ["snapshots.0", { snapshots: [{}] }],
    ["compared.s", { compared: { s: 1 } }],
    ["digest", { digest: "md5:00" }],
    ["pid", { pid: 1.5 }],
    ["error.message", { error: { code: "ERR_IO" } }],
    ["undone", { undone: true }],
  ])("whose %s is none is refused, though it has a right checksum", async (name, change) => {
    const stage = await stageOf();
    expect((await errorOf(stage.migrate({ hooks: { beforeCopy: ioError } }))).code).toBe(
      "ERR_HOOK",
    );
    const { file, id } = await stage.status();
    const before = stage.listing();
    const { stateDirectory } = stage;
    const sound = readFileSync(file, "utf8");
    const record = recordIn(sound);
    for (const [path, value] of Object.entries(change)) {
      const [outer = "", inner] = path.split(".");
      if (inner === undefined) record[outer] = value;
      else record[outer][inner] = value;
    }
    writeFileSync(file, seal(record));
    for (const error of [
      await errorOf(resumeMigration(id, { stateDirectory })),
      await errorOf(abortMigration(id, { stateDirectory })),
    ]) {
      expect(error.code).toBe("ERR_JOURNAL");
      expect(error.message).toContain(` ${name} is not as it was written`);
    }
    expect(stage.listing()).toBe(before);
    writeFileSync(file, sound);
    await stage.abort();
    await stage.isUndone();
  });

  it("that says that the target is still to be made takes nothing of an earlier one's copy for done", async () => {
    const stage = await stageOf();
    const hooks = { beforeHandover: ioError };
    expect((await errorOf(stage.migrate({ hooks, deleteSource: true }))).code).toBe("ERR_HOOK");
    const { file } = await stage.status();
    const record = recordIn(readFileSync(file, "utf8"));
    expect(record.verified).toBe(true);
    writeFileSync(file, seal({ ...record, state: "creating" }));
    await stage.resume({ hooks: { beforeHandover: () => {} } });
    await stage.isDone();
  });

  it("in which a bit is another is refused, and never taken back with its target left", async () => {
    const stage = await stageOf();
    const random = new Random("a bit of a record");
    expect((await errorOf(stage.migrate({ hooks: { beforeHandover: ioError } }))).code).toBe(
      "ERR_HOOK",
    );
    const { file, id } = await stage.status();
    const before = stage.listing();
    const { stateDirectory } = stage;
    const bytes = readFileSync(file);
    for (let round = 0; round < 60; round += 1) {
      const flipped = flipBit(bytes, random.below(bytes.length * 8));
      writeFileSync(file, flipped);
      // White space says nothing: such a record is the same.
      if (isSameJson(flipped, bytes)) continue;
      for (const error of [
        await errorOf(abortMigration(id, { stateDirectory })),
        await errorOf(resumeMigration(id, { stateDirectory })),
      ]) {
        expect(error).toMatchObject({ code: "ERR_JOURNAL" });
        expect(error.message).toMatch(/changed or damaged|no checksum|no JSON/);
      }
      expect(stage.listing()).toBe(before);
    }
    writeFileSync(file, bytes);
    await stage.abort();
    await stage.isUndone();
  });

  it("that others can write to is refused, and its hooks are not run", async () => {
    const stage = await stageOf();
    let ran = 0;
    const hooks = { beforeCopy: ioError };
    expect((await errorOf(stage.migrate({ hooks }))).code).toBe("ERR_HOOK");
    const { file, id } = await stage.status();
    const { stateDirectory } = stage;
    const options = { stateDirectory, hooks: { beforeCopy: () => void ran++ } };
    for (const open of [file, path.dirname(file), stateDirectory]) {
      const { mode } = statSync(open);
      chmodSync(open, mode | 0o020);
      for (const error of [
        await errorOf(resumeMigration(id, options)),
        await errorOf(abortMigration(id, options)),
      ]) {
        expect(error).toMatchObject({ code: "ERR_PERMISSION" });
        expect(error.message).toContain("can be written to by others");
        expect(error.message).toContain(`chmod go-w ${open}`);
      }
      chmodSync(open, mode);
    }
    expect(ran).toBe(0);
    await stage.abort();
    await stage.isUndone();
  });

  it("that cannot be written stops it, where it can go on later", async () => {
    const stage = await stageOf();
    let unblock = () => {};
    const beforeCopy = ({ id }: { id: string }) => {
      unblock = stage.blockRecord(id);
    };
    await errorOf(stage.migrate({ hooks: { beforeCopy } }));
    unblock();
    expect((await stage.status()).state).toBe("interrupted");
    await stage.resume({ hooks: { beforeCopy: () => {} } });
    await stage.isDone();
  });
});

function isSameJson(one: Buffer, other: Buffer): boolean {
  try {
    return JSON.stringify(JSON.parse(`${one}`)) === JSON.stringify(JSON.parse(`${other}`));
  } catch {
    return false;
  }
}
