/** The guards of what others do with a file or a device of this host. */
import type { Sight, Use } from "../usage/uses.js";
import { freeUnless, taken, type Verdict } from "./guard.js";

/** Uses that are named; a disk may carry more volumes than a line can hold. */
const MOST_NAMED = 6;

/** Nothing may be mounted from it, and it may not be swap. */
export function checkMounted({ uses, unseen }: Sight): Verdict {
  const mounts = uses.filter(({ kind }) => kind === "mount" || kind === "swap");
  return mounts.length === 0
    ? freeUnless(unseen, "nothing of it is mounted or used as swap")
    : taken(listUses(mounts));
}

/** Nothing may be built on it, and nobody may have it open for writing. */
export function checkHeld({ uses, unseen }: Sight): Verdict {
  const holders = uses.filter(({ kind }) => kind === "holder" || kind === "writer");
  return holders.length === 0
    ? freeUnless(unseen, "nothing is built on it, and nobody has it open for writing")
    : taken(listUses(holders));
}

/** Nobody may write to it while it is read. */
export function checkUnwritten({ uses, unseen }: Sight): Verdict {
  const writers = uses.filter(({ writes }) => writes);
  if (writers.length > 0) return taken(listUses(writers));
  const found = uses.length === 0 ? "nobody uses it" : `nobody can write to it: ${listUses(uses)}`;
  return freeUnless(unseen, found);
}

export function listUses(uses: readonly Use[]): string {
  const texts = uses.slice(0, MOST_NAMED).map(({ text }) => text);
  const more = uses.length - texts.length;
  return [...texts, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}
