import { fileURLToPath } from "node:url";
import { inject, it } from "vitest";

import { allowedCpus } from "./guest/machine/quietest-cpu.mjs";
import { type CaseEnded, runScenario } from "./guest/machine/scenario.mjs";
import { itWhere } from "./needs.js";

/**
 * Runs `test/guest/scenarios/NAME.test.mjs` in a guest, and declares each of its cases as a test of this file. Tests are
 * declared while a file is loaded, so it is awaited at its top level.
 */
export async function testInGuest(name: string): Promise<void> {
  const missing = inject("whyNoGuest");
  if (missing !== null) {
    itWhere(`no guest can run here: ${missing}`)(name);
    return;
  }
  const file = fileURLToPath(new URL(`../guest/scenarios/${name}.test.mjs`, import.meta.url));
  // Each worker of vitest's has a processor to itself: two guests on one would wait for each other.
  const cpus = allowedCpus();
  const cpu = cpus[Number(process.env.VITEST_POOL_ID ?? 1) % cpus.length];
  for (const ended of await runScenario(file, cpu === undefined ? {} : { cpu })) declare(ended);
}

function declare({ path, result, reason, error }: CaseEnded): void {
  const name = path.join(" > ");
  if (result === "skipped") {
    itWhere(reason ?? "it does not say why")(name);
    return;
  }
  it(name, () => {
    if (error === undefined) return;
    const failure = new Error(error.message);
    failure.stack = error.stack; // its paths are this machine's too
    throw failure;
  });
}
