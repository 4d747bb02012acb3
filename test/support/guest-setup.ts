import type {} from "vitest";
import type { TestProject } from "vitest/node";

import { whyNoGuest } from "./guest/machine/availability.mjs";

declare module "vitest" {
  interface ProvidedContext {
    /** What keeps this machine from running a guest, in words; null where it can. */
    whyNoGuest: string | null;
  }
}

/** Finds out once, and says so once, whether the tests that need a guest can run. */
export async function setup(project: TestProject): Promise<void> {
  const missing = await whyNoGuest();
  project.provide("whyNoGuest", missing ?? null);
  if (missing === undefined) return;
  const line = "!".repeat(100);
  process.stderr.write(
    `\n${line}\nNOT TESTED: iSCSI, LVM and multipath, which need a User-Mode-Linux guest.\n${missing}\n${line}\n\n`,
  );
}
