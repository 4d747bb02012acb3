/** What the memory of a running process holds, as root sees it. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

export interface MemoryFind {
  /** "7f0000000000-7f0000001000 rw-p … [heap]" */
  readonly mapping: string;
  /** The kernel's VmFlags: "dd" is in no core dump, "lo" is never swapped out. */
  readonly flags: readonly string[];
}

const CHUNK = 8 * 1024 ** 2;

/** Where a text is in a process's memory, as bytes or as a JavaScript string of two bytes a character. */
export function findInMemory(pid: number, text: string): MemoryFind[] {
  const needles = [Buffer.from(text), Buffer.from(text, "utf16le")];
  const smaps = readFileSync(`/proc/${pid}/smaps`, "latin1").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const memory = openSync(`/proc/${pid}/mem`, "r");
  try {
    return smaps.flatMap((entry) => {
      const [mapping = ""] = entry.split("\n");
      const [, begin = "", end = "", mode = ""] =
        /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(mapping) ?? [];
      if (!mode.startsWith("r") || /\[(vvar|vsyscall)/.test(mapping)) return [];
      const flags = (/^VmFlags: (.*)$/m.exec(entry)?.[1] ?? "").trim().split(" ");
      return holds(memory, Number(`0x${begin}`), Number(`0x${end}`), needles)
        ? [{ mapping, flags }]
        : [];
    });
  } finally {
    closeSync(memory);
  }
}

function holds(memory: number, begin: number, end: number, needles: readonly Buffer[]): boolean {
  const overlap = Math.max(...needles.map(({ length }) => length));
  for (let at = begin; at < end; at += CHUNK - overlap) {
    const chunk = Buffer.alloc(Math.min(CHUNK, end - at));
    try {
      const length = readSync(memory, chunk, 0, chunk.length, at);
      const found = chunk.subarray(0, length);
      if (needles.some((needle) => found.includes(needle))) return true;
    } catch {
      // Reserved, a device's, or gone by now.
      return false;
    }
  }
  return false;
}
