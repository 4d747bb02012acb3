/** What each file of tests costs: the reporter adds it to the table at the end of a run. */
import { afterAll } from "vitest";

import { childrenCpu } from "../../scripts/lib/costs.mjs";

// The first hook that is declared, and so the last that is run: every process of the file has ended by then.
// biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern which fixtures are wanted
afterAll(({}, file) => {
  const cost = { wall: performance.now() / 1000, cpu: childrenCpu({ withOwn: true }) };
  Object.assign(file.meta, { cost });
});
