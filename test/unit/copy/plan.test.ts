import { describe, expect, it } from "vitest";

import { planReadBack } from "../../../src/copy/plan.js";

const MiB = 1024 ** 2;

describe("what a copy moved is read back", () => {
  it.each([
    ["by default", [16, 32, 2, 1], [8, 16, 1]],
    ["with one buffer", [1, 2, 2, 1], [1, 2, 1]],
    ["with an odd number of them", [3, 6, 2, 1], [2, 4, 1]],
    ["with more requests than buffers", [9, 2, 2, 1], [5, 2, 1]],
    ["with a thread for each", [4, 8, 2, 4], [2, 4, 2]],
    ["with memory that is no multiple", [2, 5, 2, 1], [1, 2, 1]],
  ] as const)("with half of its window: %s", (_, given, expected) => {
    const [requests, memory, requestSize, threads] = given;
    const window = { requests, memory: memory * MiB, requestSize: requestSize * MiB, threads };
    const plan = { ...window, useExtents: true };
    const [fewer, less, drivers] = expected;
    expect(planReadBack(plan)).toEqual({
      requests: fewer,
      memory: less * MiB,
      requestSize: requestSize * MiB,
      threads: drivers,
      useExtents: false,
    });
  });
});
