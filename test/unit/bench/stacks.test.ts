import { describe, expect, it } from "vitest";

import { fold } from "../../../bench/stacks.mjs";

const SAMPLES = `node 12 [001]  71.5:  250000 cpu-clock:
\t    7f01 blockhaul::(anonymous namespace)::is_zero(std::span<x>)+0x12 (/x/blockhaul.node)
\t    7f02 [unknown] (/x/blockhaul.node)

node 12 [000]  71.6:  250000 cpu-clock:
\t    7f01 blockhaul::(anonymous namespace)::is_zero(std::span<x>)+0x99 (/x/blockhaul.node)
\t    7f02 [unknown] (/x/blockhaul.node)

msgr-worker 0 13  71.7:  250000 cpu-clock:
\tffff _copy_from_iter ([kernel.kallsyms])

`;

describe("the stacks of a profile", () => {
  it("are folded by thread, from the outermost call", () => {
    expect(fold(SAMPLES)).toBe(
      "msgr-worker 0;_copy_from_iter 1\nnode;[blockhaul.node];blockhaul::is_zero 2\n",
    );
  });

  it("are none where nothing was seen", () => {
    expect(fold("# a comment\n")).toBe("");
  });
});
