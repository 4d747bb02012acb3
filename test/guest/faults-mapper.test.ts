import { afterAll, afterEach } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import { testInGuest } from "../support/guest.js";

let passed = 0;

afterEach(({ task }) => {
  if ((task.result?.errors ?? []).length === 0) passed++;
});
afterAll(() => {
  if (passed === 0) return;
  recordCount("outside-mapper", {
    what: "faults from outside: device-mapper, in a guest",
    count: passed,
    command: "npm run test:long -- faults-mapper",
  });
});

await testInGuest("faults-mapper");
