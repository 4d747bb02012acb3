/** What this user can see of other processes, found out without the code that is tested. */
import { readdirSync, readlinkSync } from "node:fs";

/** Some sandboxes keep a process of theirs from root, too: then no guard may say that nobody uses a volume. */
export const processesAreHidden = readdirSync("/proc").some(
  (pid) => /^\d+$/.test(pid) && isHidden(`/proc/${pid}/fd`),
);

function isHidden(folder: string): boolean {
  try {
    for (const descriptor of readdirSync(folder)) readlinkSync(`${folder}/${descriptor}`);
    return false;
  } catch (error) {
    return ["EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}

/** What a guard that goes through all processes says where it finds none. */
export const clearIfSeen = processesAreHidden ? "unsure" : "clear";

/** What a report says, but for the processes that are hidden here. */
export function besidesHidden(notExcluded: readonly string[] = []): string[] {
  if (!processesAreHidden) return [...notExcluded];
  return notExcluded.filter((text) => !text.includes("may not look into processes of others"));
}
