import { createInterface } from "node:readline";

import type { Output } from "./output.js";

/** Asks whoever sits at the terminal; undefined where the input ends, or the signal is aborted. */
export async function ask(
  question: string,
  output: Output,
  signal: AbortSignal,
): Promise<string | undefined> {
  output.prompt(question);
  // Without `terminal`, the kernel edits the line, and Ctrl-C stays a signal.
  const lines = createInterface({ input: process.stdin, terminal: false });
  const stop = () => lines.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const line of lines) return line;
    return undefined;
  } finally {
    signal.removeEventListener("abort", stop);
    lines.close();
    process.stdin.unref?.();
  }
}
