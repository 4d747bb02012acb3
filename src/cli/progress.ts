import { type CopyProgress, formatClock, formatSize } from "../index.js";
import type { Output } from "./output.js";

export type ProgressMode = "bar" | "plain" | "json" | "none";

/** What is shown of a copy: whether somebody has it pause, too. */
export interface ShownProgress extends CopyProgress {
  readonly paused?: boolean;
}

/** Shows how a copy goes on. */
export interface ProgressDisplay {
  update(progress: ShownProgress): void;
  /** Takes away what would stand in the way of what is printed next. */
  clear(): void;
}

/** Seconds between two lines. */
const PLAIN_INTERVAL = 10;
const JSON_INTERVAL = 0.5;
const RATE_MEMORY_SECONDS = 3;
const LONGEST_BAR = 40;
const SHORTEST_BAR = 10;
const CLEAR_LINE = "\r\u001b[K";

/**
 * @param lines where lines of progress go: stdout with --json, else stderr
 * @param label "source → target", for lines
 */
export function createProgressDisplay(
  mode: ProgressMode,
  { stderr, lines, label }: { stderr: Output; lines: Output; label: string },
): ProgressDisplay | undefined {
  switch (mode) {
    case "none":
      return undefined;
    case "bar":
      return new BarDisplay(stderr);
    case "plain":
      return new PlainDisplay(stderr, label);
    case "json":
      return new JsonDisplay(lines);
  }
}

/** The rate of the last few seconds: recent bytes count more, without jumping about. */
export class SmoothRate {
  #rate: number | undefined;
  #phase: string | undefined;
  #done = 0;
  #seconds = 0;

  /** Bytes a second. */
  update(progress: Pick<CopyProgress, "phase" | "begin" | "done" | "seconds">): number {
    const { phase, begin, done, seconds } = progress;
    // Each run of the engine counts anew, from where it begins.
    if (phase !== this.#phase || seconds < this.#seconds) {
      this.#phase = phase;
      this.#rate = undefined;
      this.#done = begin;
      this.#seconds = 0;
    }
    const elapsed = seconds - this.#seconds;
    if (elapsed > 0) {
      const current = (done - this.#done) / elapsed;
      const weight = this.#rate === undefined ? 1 : 1 - Math.exp(-elapsed / RATE_MEMORY_SECONDS);
      this.#rate = (this.#rate ?? 0) * (1 - weight) + current * weight;
      this.#done = done;
      this.#seconds = seconds;
    }
    return this.#rate ?? 0;
  }
}

const PHASES = { verify: "verifying", repair: "repairing" } as const;

/** The parts of a progress line, the most important first. */
export function progressFields(progress: ShownProgress, rate: number): string[] {
  const { total, done, zeroed, skipped, state, paused = false, phase } = progress;
  const fields = [percent(done, total), `${formatSize(done)} of ${formatSize(total)}`];
  if (phase !== "copy") fields.push(PHASES[phase]);
  if (state === "copying" && paused) {
    fields.push("paused");
  } else if (state === "copying") {
    fields.push(`${formatSize(Math.round(rate))}/s`);
    if (rate > 0) fields.push(`ETA ${formatClock((total - done) / rate)}`);
  } else {
    fields.push(state);
  }
  if (phase === "copy" && zeroed + skipped > 0)
    fields.push(`${formatSize(zeroed + skipped)} zeros`);
  return fields;
}

/** A bar and as many fields as fit the width. */
export function composeBar(
  progress: ShownProgress,
  rate: number,
  width: number,
  paint: (text: string) => string = (text) => text,
): string {
  const [share = "", ...fields] = progressFields(progress, rate);
  // One column stays free: some terminals wrap when the last one is written to.
  const room = width - 1 - share.length;
  while (fields.length > 0 && room - text(fields).length < SHORTEST_BAR + 3) fields.pop();
  const barWidth = Math.min(LONGEST_BAR, room - text(fields).length - 3);
  if (barWidth < SHORTEST_BAR) return share;
  const fraction = progress.total === 0 ? 1 : progress.done / progress.total;
  const filled = Math.floor(fraction * barWidth);
  return `${share} [${paint("=".repeat(filled))}${" ".repeat(barWidth - filled)}]${text(fields)}`;
}

function text(fields: readonly string[]): string {
  return fields.map((field) => `  ${field}`).join("");
}

/** Rounded down: "100%" means all of it. */
function percent(done: number, total: number): string {
  const share = total === 0 ? 100 : Math.floor((done / total) * 100);
  return `${share}%`.padStart(4);
}

class BarDisplay implements ProgressDisplay {
  readonly #rate = new SmoothRate();
  readonly #output: Output;
  #drawn = false;

  constructor(output: Output) {
    this.#output = output;
  }

  update(progress: ShownProgress): void {
    const rate = this.#rate.update(progress);
    const paint = (bar: string) => this.#output.paint("green", bar);
    const line = composeBar(progress, rate, this.#output.width, paint);
    this.#output.write(`${CLEAR_LINE}${line}`);
    this.#drawn = true;
  }

  clear(): void {
    if (this.#drawn) this.#output.write(CLEAR_LINE);
    this.#drawn = false;
  }
}

/** A line now and then, for logs; none for a copy that is done before the first is due. */
class PlainDisplay implements ProgressDisplay {
  readonly #rate = new SmoothRate();
  readonly #output: Output;
  readonly #label: string;
  #due = PLAIN_INTERVAL;

  constructor(output: Output, label: string) {
    this.#output = output;
    this.#label = label;
  }

  update(progress: ShownProgress): void {
    const rate = this.#rate.update(progress);
    if (progress.seconds < this.#due - PLAIN_INTERVAL) this.#due = PLAIN_INTERVAL;
    if (progress.state === "done" || progress.seconds < this.#due) return;
    this.#due = progress.seconds + PLAIN_INTERVAL;
    this.#output.line(`${this.#label}: ${progressFields(progress, rate).join(", ").trim()}`);
  }

  clear(): void {}
}

class JsonDisplay implements ProgressDisplay {
  readonly #output: Output;
  #due = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  update(progress: ShownProgress): void {
    const isLast = progress.state !== "copying";
    // A further run of the engine counts anew.
    if (progress.seconds < this.#due - JSON_INTERVAL) this.#due = 0;
    if (!isLast && progress.seconds < this.#due) return;
    this.#due = progress.seconds + JSON_INTERVAL;
    this.#output.json({ type: "progress", ...progress });
  }

  clear(): void {}
}
