import { describe, expect, it } from "vitest";

import type { Extent } from "../../../src/driver.js";
import { Callers } from "../../../src/volume/callers.js";
import { coverRange } from "../../../src/volume/js-volume.js";

const extent = (offset: number, length: number, kind: Extent["kind"]): Extent => ({
  offset,
  length,
  kind,
});

describe("coverRange", () => {
  it("takes what no extent names for data", async () => {
    expect(await coverRange([], 10, 5)).toEqual([extent(10, 5, "data")]);
    expect(await coverRange([extent(10, 5, "hole"), extent(20, 5, "zero")], 0, 30)).toEqual([
      extent(0, 10, "data"),
      extent(10, 5, "hole"),
      extent(15, 5, "data"),
      extent(20, 5, "zero"),
      extent(25, 5, "data"),
    ]);
  });

  it("cuts what reaches beyond the range", async () => {
    expect(await coverRange([extent(0, 100, "hole")], 10, 5)).toEqual([extent(10, 5, "hole")]);
    const around = [extent(0, 5, "hole"), extent(5, 10, "data"), extent(90, 5, "hole")];
    expect(await coverRange(around, 10, 5)).toEqual([extent(10, 5, "data")]);
  });

  it("answers with the part of a long list that it has looked at", async () => {
    let made = 0;
    const endless = (function* () {
      for (;;) {
        made += 1;
        yield extent((made - 1) * 2, 2, made % 2 === 0 ? "data" : "hole");
      }
    })();
    const covered = await coverRange(endless, 0, 2 ** 40);
    expect(covered).toHaveLength(4096);
    expect(made).toBe(4096);
  });

  it.each([
    [[extent(5, 5, "data"), extent(0, 5, "data")]],
    [[extent(0, 6, "data"), extent(5, 5, "data")]],
    [[extent(0, -1, "data")]],
    [[extent(0, 0, "data")]],
    [[extent(0.5, 1, "data")]],
    [[extent(0, 1, "junk" as never)]],
  ])("refuses %j", async (extents) => {
    await expect(coverRange(extents, 0, 100)).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  });

  it("gives up a list of extents without a length, however long", async () => {
    const endless = (function* () {
      for (;;) yield extent(0, 0, "data");
    })();
    await expect(coverRange(endless, 0, 100)).rejects.toMatchObject({ code: "ERR_INTERNAL" });
  });

  it("gives up a list that does not come to the range, and lets timers run meanwhile", async () => {
    let timers = 0;
    const timer = setInterval(() => {
      timers += 1;
    }, 1);
    const endless = (function* () {
      for (let offset = 0; ; offset += 1) yield extent(offset, 1, "hole");
    })();
    await expect(coverRange(endless, 2 ** 40, 100)).rejects.toMatchObject({ code: "ERR_INTERNAL" });
    clearInterval(timer);
    expect(timers).toBeGreaterThan(10);
  });
});

describe("Callers", () => {
  const begin = (callers: Callers) => {
    let [end, signal] = [() => {}, undefined as AbortSignal | undefined];
    const ended = callers.during((given) => {
      signal = given;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    const endIt = () => {
      end();
      return ended;
    };
    return { signal: signal as unknown as AbortSignal, end: endIt };
  };

  it("end a request when the only one who made any does not wait any more", () => {
    const callers = new Callers();
    const copy = callers.enter();
    const { signal } = begin(callers);
    expect(signal.aborted).toBe(false);
    copy.abort("enough");
    expect([signal.aborted, signal.reason]).toEqual([true, "enough"]);
  });

  it("leave a request alone that may be somebody else's", async () => {
    const callers = new Callers();
    const [one, other] = [callers.enter(), callers.enter()];
    const ofBoth = begin(callers);
    one.abort("enough");
    const ofOther = begin(callers);
    expect([ofBoth.signal.aborted, ofOther.signal.aborted]).toEqual([false, false]);
    await ofOther.end();
    other.leave();
    expect(ofBoth.signal.aborted).toBe(true);
    expect(ofOther.signal.aborted).toBe(false);
  });

  it("end a request at once that is made after the only one who was there stopped waiting", () => {
    const callers = new Callers();
    const copy = callers.enter();
    copy.abort("enough");
    const { signal } = begin(callers);
    expect([signal.aborted, signal.reason]).toEqual([true, "enough"]);
    copy.leave();
    expect(begin(callers).signal.aborted).toBe(false);
  });

  it("leave a request alone that began without them", () => {
    const callers = new Callers();
    const { signal } = begin(callers);
    callers.enter().abort("enough");
    expect(signal.aborted).toBe(false);
  });
});
