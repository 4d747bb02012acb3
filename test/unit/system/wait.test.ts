import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { waitFor } from "../../../src/system/wait.js";

/** Both of the timers are the test's: `setTimeout` of node:timers/promises has to be told. */
const pauses: number[] = [];
let now = 0;

vi.mock("node:timers/promises", () => ({
  setTimeout: async (ms: number, _value: unknown, { signal }: { signal?: AbortSignal }) => {
    pauses.push(ms);
    now += ms;
    signal?.throwIfAborted();
  },
}));

beforeEach(() => {
  pauses.length = 0;
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

const never = async () => undefined;

describe("waitFor", () => {
  it("asks at once, and gives the answer", async () => {
    await expect(waitFor(async () => 7, { deadlineMs: 0 })).resolves.toBe(7);
    expect(pauses).toEqual([]);
  });

  it.each([false, 0, "", null])("takes %j for an answer", async (answer) => {
    await expect(waitFor<unknown>(async () => answer, { deadlineMs: 0 })).resolves.toBe(answer);
  });

  it("makes longer pauses up to a limit, and the last one to the deadline", async () => {
    const options = { deadlineMs: 100, firstMs: 8, longestMs: 30 };
    await expect(waitFor(never, options)).resolves.toBeUndefined();
    expect(pauses).toEqual([8, 12, 18, 27, 30, 5]);
  });

  it("asks once more when the deadline has come", async () => {
    let asked = 0;
    const late = async () => {
      asked += 1;
      return now >= 5 ? "late" : undefined;
    };
    await expect(waitFor(late, { deadlineMs: 5 })).resolves.toBe("late");
    expect(asked).toBe(2);
  });

  it("passes on what the question meets", async () => {
    const failing = async () => Promise.reject(new Error("no"));
    await expect(waitFor(failing, { deadlineMs: 10 })).rejects.toThrow("no");
  });

  it("ends with a signal, before the next question", async () => {
    const aborting = new AbortController();
    const reason = new Error("enough");
    let asked = 0;
    const ask = async () => {
      asked += 1;
      if (asked === 2) aborting.abort(reason);
      return undefined;
    };
    const waiting = waitFor(ask, { deadlineMs: 1e6, signal: aborting.signal });
    await expect(waiting).rejects.toMatchObject({ code: "ERR_CANCELLED", cause: reason });
    expect(asked).toBe(2);
    await expect(waitFor(ask, { deadlineMs: 1, signal: aborting.signal })).rejects.toMatchObject({
      code: "ERR_CANCELLED",
    });
    expect(asked).toBe(2);
  });
});
