/** A migration's record: forgotten only after the end, torn, not to be written. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { abortMigration, removeMigration, resumeMigration } from "blockhaul";
import { describe, expect, it } from "vitest";

import { errorOf, ioError, stageOf } from "./stage.js";

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

  it("that cannot be written stops it, where it can go on later", async () => {
    const stage = await stageOf();
    let draft = "";
    const beforeCopy = ({ id }: { id: string }) => {
      draft = `${stage.stateDirectory}/jobs/.${id}.migration.new`;
      mkdirSync(draft);
    };
    await errorOf(stage.migrate({ hooks: { beforeCopy } }));
    expect((await stage.status()).state).toBe("interrupted");
    rmSync(draft, { recursive: true });
    await stage.resume({ hooks: { beforeCopy: () => {} } });
    await stage.isDone();
  });
});
