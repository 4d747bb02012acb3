import { afterEach, describe, expect, it, vi } from "vitest";

import { runAttach } from "../../../src/cli/attach.js";
import type { CommandContext } from "../../../src/cli/command.js";
import { exitCodeOf } from "../../../src/cli/error-report.js";
import { attachVolume, BlockhaulError, type KeptAttachment } from "../../../src/index.js";

vi.mock("../../../src/index.js", { spy: true });
afterEach(() => vi.mocked(attachVolume).mockReset());

const attached: KeptAttachment = {
  id: "0123456789ab",
  ref: "iscsi://10.0.0.1,10.0.1.1/iqn.2026-01.org.example:a/1",
  path: "/dev/sdb",
  identity: { wwid: "naa.6001", size: 5 * 1024 ** 3 },
  paths: 1,
  failures: [new BlockhaulError("ERR_UNREACHABLE", { message: "10.0.1.1 does not answer" })],
};

async function run(options: { json?: boolean; quiet?: boolean } = {}) {
  let stdout = "";
  let stderr = "";
  const output = (add: (text: string) => void) => ({
    lines: (lines: readonly string[]) => add(lines.map((line) => `${line}\n`).join("")),
    line: (text: string) => add(`${text}\n`),
    json: (value: object) => add(`${JSON.stringify(value)}\n`),
  });
  const context = {
    stdout: output((text) => {
      stdout += text;
    }),
    stderr: output((text) => {
      stderr += text;
    }),
    environment: {},
  } as unknown as CommandContext;
  const status = await runAttach([attached.ref], options as never, context);
  return { status, stdout, stderr };
}

describe("blockhaul attach", () => {
  it("says what came, how it is undone, and what is missing", async () => {
    vi.mocked(attachVolume).mockResolvedValue(attached);
    const { status, stdout, stderr } = await run();
    expect(status).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "device         /dev/sdb",
      "id             0123456789ab",
      "size           5 GiB (5368709120 bytes)",
      "wwid           naa.6001",
      "serial number  none",
      "paths          1",
      "undo with      blockhaul detach 0123456789ab",
      "",
    ]);
    expect(stderr).toBe("warning: a path is missing: 10.0.1.1 does not answer\n");
    expect((await run({ quiet: true })).stdout).toBe("/dev/sdb\n");
    expect(JSON.parse((await run({ json: true })).stdout)).toMatchObject({
      type: "attached",
      ...attached,
      failures: [{ code: "ERR_UNREACHABLE" }],
    });
  });

  /** A signal comes while it attaches, and this is how that ends. */
  const stoppedWith = (error: BlockhaulError) =>
    vi.mocked(attachVolume).mockImplementation(async (_ref, { signal } = {}) => {
      process.emit("SIGINT");
      expect(signal?.aborted).toBe(true);
      throw error;
    });

  it("that was stopped says that nothing stays", async () => {
    stoppedWith(new BlockhaulError("ERR_CANCELLED", { cause: new Error("SIGINT") }));
    const error = await run({ quiet: true }).catch((thrown) => thrown);
    expect(error.message).toBe("stopped; nothing stays attached");
    expect(exitCodeOf(error)).toBe(130);
  });

  it("that was stopped says so only where it is so", async () => {
    const left = [new BlockhaulError("ERR_CANCELLED"), new BlockhaulError("ERR_IN_USE")];
    stoppedWith(
      new BlockhaulError("ERR_CANCELLED", {
        message: "stopped on request; and then could not undo the LUN 1: sda is mounted",
        hint: "stop what uses it",
        cause: new AggregateError(left),
      }),
    );
    const error = await run({ quiet: true }).catch((thrown) => thrown);
    expect(error).toMatchObject({ hint: "stop what uses it" });
    expect(error.message).toContain("sda is mounted");
    expect(exitCodeOf(error)).toBe(130);
  });
});
