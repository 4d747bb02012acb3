import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { errnoName, errnoNumber } from "../../src/errno.js";
import {
  BlockhaulError,
  codeFromErrno,
  createNativeError,
  ERROR_CODES,
  toBlockhaulError,
} from "../../src/errors.js";
import { readPlanFile } from "../../src/migrate/plan-file.js";

const { ENOENT, ENOSPC, EIO, EINVAL, ENXIO, ECANCELED, EBUSY, EROFS, ETIMEDOUT } = constants.errno;

describe("the message of an error", () => {
  it("says side, volume, operation, offset and reason, in one line", () => {
    const error = new BlockhaulError("ERR_NO_SPACE", {
      side: "target",
      volume: "rbd:rbd/x",
      operation: "write",
      offset: 4096,
      message: "No space left on device",
    });
    expect(error.message).toBe("target rbd:rbd/x: write at offset 4096: No space left on device");
  });

  it("does not say that opening was what failed", () => {
    const error = new BlockhaulError("ERR_NOT_FOUND", {
      volume: "/nope",
      operation: "open",
      message: "No such file or directory",
    });
    expect(error.message).toBe("/nope: No such file or directory");
  });

  it("falls back to the meaning of the code, and never has two lines", () => {
    expect(new BlockhaulError("ERR_IN_USE").message).toBe(ERROR_CODES.ERR_IN_USE.meaning);
    expect(new BlockhaulError("ERR_IO", { message: "a\n  b\r\nc" }).message).toBe("a b c");
  });

  it("does not double the colon of a ref that ends in one", () => {
    const error = new BlockhaulError("ERR_INVALID_REF", {
      volume: "zero:",
      message: "needs a size",
    });
    expect(error.message).toBe("zero: needs a size");
  });
});

describe("an error", () => {
  it("is told by class and code, and knows whether a retry may help", () => {
    const error = new BlockhaulError("ERR_TIMEOUT");
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe("BlockhaulError");
    expect(error.retryable).toBe(true);
    expect(new BlockhaulError("ERR_NO_SPACE").retryable).toBe(false);
  });

  it("becomes JSON with all that is known of it, and without secrets", () => {
    const key = "AQBSdFRfAAAAABAAkCvSiLNQ5p5jYnJUWzZzZA==";
    const error = new BlockhaulError("ERR_IO", {
      side: "source",
      volume: `rbd:a/b:key=${key}`,
      message: `cannot use ${key}`,
      errno: EIO,
      offset: 0,
      hint: `--key ${key}`,
    });
    const json = JSON.stringify(error);
    expect(json).not.toContain(key);
    expect(JSON.parse(json)).toMatchObject({
      code: "ERR_IO",
      side: "source",
      volume: "rbd:a/b:key=***",
      offset: 0,
      errno: EIO,
      errnoName: "EIO",
      retryable: false,
    });
    expect(error.stack).not.toContain(key);
  });

  it("takes context that it lacks, and keeps what it has", () => {
    const cause = new Error("cause");
    const error = new BlockhaulError("ERR_IO", {
      volume: "a",
      message: "broken",
      cause,
      offset: 7,
    });
    const merged = error.withContext({ side: "target", volume: "b", operation: "write" });
    expect(merged).toMatchObject({
      side: "target",
      volume: "a",
      operation: "write",
      offset: 7,
      cause,
    });
    expect(merged.message).toBe("target a: write at offset 7: broken");
    expect(merged.stack).toContain(merged.message);
  });

  it("has a hint of its own, else that of its code", () => {
    expect(new BlockhaulError("ERR_IN_USE").hint).toBe(ERROR_CODES.ERR_IN_USE.hint);
    expect(new BlockhaulError("ERR_IN_USE", { hint: "look" }).hint).toBe("look");
    expect(new BlockhaulError("ERR_OUT_OF_RANGE").hint).toBeUndefined();
  });
});

describe("the code of an errno", () => {
  it.each([
    [ENOENT, "open", "ERR_NOT_FOUND"],
    [EBUSY, "open", "ERR_IN_USE"],
    [EROFS, "write", "ERR_READ_ONLY"],
    [ENOSPC, "write", "ERR_NO_SPACE"],
    [27, "open", "ERR_TOO_LARGE"],
    [27, "write", "ERR_TOO_LARGE"],
    [EIO, "read", "ERR_IO"],
    [ETIMEDOUT, "open", "ERR_TIMEOUT"],
    [ECANCELED, "read", "ERR_CANCELLED"],
    [108, "write", "ERR_DEVICE_GONE"],
    [129, "open", "ERR_AUTHENTICATION"],
    // The same errno says something else in the middle of I/O.
    [ENXIO, "open", "ERR_NOT_FOUND"],
    [ENXIO, "read", "ERR_DEVICE_GONE"],
    [EINVAL, "open", "ERR_INVALID_ARGUMENT"],
    [EINVAL, "write", "ERR_IO"],
    [9999, "read", "ERR_IO"],
  ])("%i of %s is %s, whatever its sign", (errno, operation, code) => {
    expect(codeFromErrno(errno, operation)).toBe(code);
    expect(codeFromErrno(-errno, operation)).toBe(code);
  });

  it("goes both ways by name", () => {
    expect(errnoName(-11)).toBe("EAGAIN");
    expect(errnoName(95)).toBe("ENOTSUP");
    expect(errnoNumber("ENOSPC")).toBe(ENOSPC);
    expect(errnoName(0)).toBeUndefined();
  });
});

describe("an error of the addon", () => {
  it("has the code that it names, if that is one", () => {
    expect(
      createNativeError({ message: "x", code: "ERR_UNREACHABLE", errno: ETIMEDOUT }).code,
    ).toBe("ERR_UNREACHABLE");
    expect(createNativeError({ message: "x", code: "ERR_NONSENSE", errno: ENOSPC }).code).toBe(
      "ERR_NO_SPACE",
    );
    expect(createNativeError({ message: "x" }).code).toBe("ERR_INTERNAL");
  });

  it("leaves out what the addon does not know", () => {
    const error = createNativeError({ message: "x", errno: EIO, offset: -1, side: "", volume: "" });
    expect(error).toMatchObject({ offset: undefined, side: undefined, volume: undefined });
    expect(error.message).toBe("x");
  });
});

describe("any thrown value", () => {
  it("becomes a BlockhaulError with the value as its cause", () => {
    const thrown = Object.assign(new Error("no room"), { errno: -ENOSPC });
    expect(toBlockhaulError(thrown, { volume: "v" })).toMatchObject({
      code: "ERR_NO_SPACE",
      errno: ENOSPC,
      message: "v: no room",
      cause: thrown,
    });
    expect(toBlockhaulError("text")).toMatchObject({ code: "ERR_INTERNAL", message: "text" });
    expect(toBlockhaulError({ errno: "ENOENT" })).toMatchObject({ code: "ERR_INTERNAL" });
  });

  it("is no fault of the program where a text named a path that none can be", async () => {
    const refused = { code: "ERR_INVALID_ARGUMENT", message: expect.stringMatching(/NUL/) };
    const thrown = await readFile("a\0b").catch((error: unknown) => error);
    expect(toBlockhaulError(thrown)).toMatchObject({ ...refused, cause: thrown });
    await expect(readPlanFile("a\0b")).rejects.toMatchObject(refused);
  });
});
