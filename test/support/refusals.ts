/** Checks of what is refused: one clear line, the right exit code, and a source that nobody touched. */
import { readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

import { blockhaul, type CommandOptions, type Ended } from "./command.js";
import { Random } from "./random.js";

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly says: RegExp;
}

/** Runs a command line for people and for programs: both are told the same. Resolves to the event. */
export async function refuses(
  args: readonly string[],
  { status, code, says }: Refusal,
  options: CommandOptions = {},
) {
  const forPeople = await blockhaul(args, options);
  expectClear(forPeople, says);
  expect(forPeople).toMatchObject({ status, signal: null });

  const forPrograms = await blockhaul([...args, "--json"], options);
  expect(forPrograms).toMatchObject({ status, signal: null });
  const events = forPrograms.stdout.trimEnd().split("\n");
  const event = JSON.parse(events.at(-1) ?? "");
  expect(event).toMatchObject({ type: "error", code, exitCode: status });
  expect(event.message).toMatch(says);
  return event;
}

/** One line that says what is wrong, at the most one more that says what to do, and nothing else. */
export function expectClear({ stdout, stderr }: Pick<Ended, "stdout" | "stderr">, says: RegExp) {
  expect(stdout).toBe("");
  const [line = "", ...further] = stderr.trimEnd().split("\n");
  expect(line).toMatch(/^blockhaul: /);
  expect(line).toMatch(says);
  expect(line.length).toBeLessThan(400);
  const hints = further.filter((text) => !text.startsWith("(Did you mean "));
  expect(hints.length).toBeLessThanOrEqual(1);
  for (const hint of hints) expect(hint).toMatch(/^hint: /);
  expect(stderr).not.toMatch(/^\s+at |ERR_|Error:|undefined|\[object|\.cc\b/m);
}

/** An image file that commands are pointed at, and that none of them may change. */
export class UntouchedFile {
  readonly path: string;
  readonly content: Buffer;

  constructor(path: string, size: number) {
    this.path = path;
    this.content = Buffer.from(new Random(path).bytes(size));
    writeFileSync(path, this.content, { mode: 0o644 });
  }

  check(): void {
    expect(readFileSync(this.path).equals(this.content), "the source is untouched").toBe(true);
  }
}
