import { type CopyProgress, formatClock, formatSize } from "../index.js";
import type { Line, Output } from "./output.js";

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

/** How a copy goes on, as one line. */
export class ProgressLine {
  readonly #rate = new SmoothRate();
  readonly #label: string;
  #text = "";

  /** @param label "source to target" */
  constructor(label: string) {
    this.#label = label;
  }

  update(progress: ShownProgress): void {
    const rate = this.#rate.update(progress);
    this.#text = progressText(this.#label, progress, rate);
  }

  /** Of the last update. */
  get text(): string {
    return this.#text;
  }
}

/** "a to b: 45%, 4.5 GiB of 10 GiB, 200 MiB/s, ETA 0:28" */
export function progressText(label: string, progress: ShownProgress, rate: number): string {
  // A ref such as "null:" brings its colon along.
  return `${label.replace(/:$/, "")}: ${progressFields(progress, rate).join(", ").trim()}`;
}

/** How a copy goes on, as an event. */
export function progressEvent(progress: ShownProgress): object {
  return { type: "progress", ...progress };
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
): Exclude<Line, string> {
  const [share = "", ...fields] = progressFields(progress, rate);
  // One column stays free: some terminals wrap when the last one is written to.
  const room = width - 1 - share.length;
  while (fields.length > 0 && room - text(fields).length < SHORTEST_BAR + 3) fields.pop();
  const barWidth = Math.min(LONGEST_BAR, room - text(fields).length - 3);
  if (barWidth < SHORTEST_BAR) return [share];
  const fraction = progress.total === 0 ? 1 : progress.done / progress.total;
  const filled = Math.floor(fraction * barWidth);
  const bar = { colour: "green", text: "=".repeat(filled) } as const;
  return [`${share} [`, bar, `${" ".repeat(barWidth - filled)}]${text(fields)}`];
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

  constructor(output: Output) {
    this.#output = output;
  }

  update(progress: ShownProgress): void {
    const rate = this.#rate.update(progress);
    this.#output.draw([composeBar(progress, rate, this.#output.width)]);
  }

  clear(): void {
    this.#output.clear();
  }
}

/** A line now and then, for logs; none for a copy that is done before the first is due. */
class PlainDisplay implements ProgressDisplay {
  readonly #line: ProgressLine;
  readonly #output: Output;
  #due = PLAIN_INTERVAL;

  constructor(output: Output, label: string) {
    this.#output = output;
    this.#line = new ProgressLine(label);
  }

  update(progress: ShownProgress): void {
    this.#line.update(progress);
    if (progress.seconds < this.#due - PLAIN_INTERVAL) this.#due = PLAIN_INTERVAL;
    if (progress.state === "done" || progress.seconds < this.#due) return;
    this.#due = progress.seconds + PLAIN_INTERVAL;
    this.#output.line(this.#line.text);
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
    this.#output.json(progressEvent(progress));
  }

  clear(): void {}
}
