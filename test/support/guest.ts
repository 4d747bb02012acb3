import { fileURLToPath } from "node:url";
import { inject, it } from "vitest";

import { type CaseEnded, runScenario } from "./guest/machine/scenario.mjs";

/**
 * Runs `test/guest/scenarios/NAME.test.mjs` in a guest, and declares each of its cases as a test of this file. Tests are
 * declared while a file is loaded, so it is awaited at its top level.
 */
export async function testInGuest(name: string): Promise<void> {
  const missing = inject("whyNoGuest");
  if (missing !== null) {
    it.skip(`${name}: no guest can run here: ${missing}`);
    return;
  }
  const file = fileURLToPath(new URL(`../guest/scenarios/${name}.test.mjs`, import.meta.url));
  for (const ended of await runScenario(file)) declare(ended);
}

function declare({ path, result, reason, error }: CaseEnded): void {
  const name = path.join(" > ");
  if (result === "skipped") {
    it.skip(reason ? `${name}: ${reason}` : name);
    return;
  }
  it(name, () => {
    if (error === undefined) return;
    const failure = new Error(error.message);
    failure.stack = error.stack; // its paths are this machine's too
    throw failure;
  });
}
