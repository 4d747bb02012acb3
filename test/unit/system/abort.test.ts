import { describe, expect, it, vi } from "vitest";

import { onAbort } from "../../../src/system/abort.js";

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("onAbort", () => {
  it("calls everybody back once the signal fires, but those who took it back", () => {
    const controller = new AbortController();
    const [one, other, gone] = [vi.fn(), vi.fn(), vi.fn()];
    onAbort(controller.signal, one);
    onAbort(controller.signal, other);
    onAbort(controller.signal, gone)();
    controller.abort();
    expect([one, other, gone].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
  });

  it("calls back of a signal that has fired already, in a moment", async () => {
    const [late, gone] = [vi.fn(), vi.fn()];
    onAbort(AbortSignal.abort(), late);
    onAbort(AbortSignal.abort(), gone)();
    expect(late).not.toHaveBeenCalled();
    await nextTurn();
    expect(late).toHaveBeenCalledTimes(1);
    expect(gone).not.toHaveBeenCalled();
  });
});
