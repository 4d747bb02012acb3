import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";

import { Output } from "../../../src/cli/output.js";

describe("an output stream", () => {
  it("is waited for as often as one likes, without leaving listeners behind", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const output = new Output(stream, {});
    const before = listeners(stream);
    for (let round = 0; round < 3; round += 1) {
      output.line("more than it holds");
      const drained = output.drained();
      expect(stream.writableNeedDrain).toBe(true);
      stream.resume();
      await drained;
      stream.pause();
    }
    expect(listeners(stream)).toEqual(before);
  });

  it("whose reader went away takes nothing more, and nobody waits for it", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const output = new Output(stream, {});
    output.line("more than it holds");
    const drained = output.drained();
    stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await drained;
    expect(output.closed).toBe(true);
    output.line("unheard");
    await output.drained();
  });

  it("that fails otherwise says what failed", async () => {
    const stream = new PassThrough();
    const caught = new Promise((resolve) => {
      const { emit } = stream;
      // What a handler throws would end the process.
      stream.emit = ((...args: Parameters<typeof emit>) => {
        try {
          return emit.apply(stream, args);
        } catch (error) {
          resolve(error);
          return true;
        }
      }) as typeof emit;
    });
    const output = new Output(stream, {});
    stream.destroy(Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" }));
    expect(await caught).toMatchObject({
      code: "ERR_IO",
      message: "standard output cannot be written to: ENOSPC: no space left",
      hint: "what was printed is not complete",
    });
    expect(output.closed).toBe(true);
  });
});

function listeners(stream: PassThrough): number[] {
  return ["drain", "close", "error"].map((event) => stream.listenerCount(event));
}
