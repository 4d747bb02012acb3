/** Shows how the moves of a plan go on: a line for each that runs, and one for all. */
import type { CheckedPlan, ManyEvent } from "../index.js";
import { type MoveCourse, PlanCourse } from "./migrate-many-course.js";
import { endLine } from "./migrate-many-report.js";
import type { Line, Output } from "./output.js";
import {
  composeBar,
  createProgressDisplay,
  type ProgressDisplay,
  type ProgressMode,
} from "./progress.js";
import { visible } from "./visible.js";

export interface ManyView {
  update(event: ManyEvent): void;
  /** Takes away what would stand in the way of what is printed next. */
  clear(): void;
}

interface Outputs {
  readonly stdout: Output;
  readonly stderr: Output;
}

/** @param isJson events go to stdout, whatever else is shown */
export function createManyView(
  mode: ProgressMode,
  plan: CheckedPlan,
  { stdout, stderr }: Outputs,
  isJson: boolean,
): ManyView {
  const views = [
    ...(isJson || mode === "json" ? [new JsonView(isJson ? stdout : stderr, mode === "json")] : []),
    ...(mode === "bar" ? [new LinesView(stderr, plan)] : []),
    ...(mode === "plain" ? [new PlainView(stderr, plan)] : []),
  ];
  return {
    update: (event) => {
      for (const view of views) view.update(event);
    },
    clear: () => {
      for (const view of views) view.clear();
    },
  };
}

/** Milliseconds between two drawings. */
const DRAWING_INTERVAL = 100;
const LONGEST_NAME = 30;

type StateEvent = Extract<ManyEvent, { type: "moveState" }>;

/** Redrawn in place. What has ended stays above, a line each. */
export class LinesView implements ManyView {
  readonly #output: Output;
  readonly #course: PlanCourse;
  #drawnAt = Number.NEGATIVE_INFINITY;

  constructor(output: Output, plan: CheckedPlan) {
    this.#output = output;
    this.#course = new PlanCourse(plan);
  }

  update(event: ManyEvent): void {
    const move = this.#course.note(event);
    if (event.type === "moveState") {
      if (event.state === "waiting") return;
      if (hasEnded(event)) this.#printEnd(move, event);
      this.#draw();
    } else if (performance.now() - this.#drawnAt >= DRAWING_INTERVAL) {
      this.#draw();
    }
  }

  clear(): void {
    this.#output.clear();
  }

  #printEnd(move: MoveCourse, event: StateEvent): void {
    this.#output.line(endLine(move.name, event.state, move.endDetail(event)));
  }

  #draw(): void {
    this.#output.draw(viewLines(this.#course, this.#output));
    this.#drawnAt = performance.now();
  }
}

/** The lines of the view; no more than the terminal has, since it scrolls away what is above. */
export function viewLines(course: PlanCourse, output: Pick<Output, "width" | "height">): Line[] {
  const { running } = course;
  const shown = running.slice(0, Math.max(1, output.height - 3));
  const hidden = running.length - shown.length;
  const width = Math.min(
    LONGEST_NAME,
    Math.floor(output.width / 3),
    Math.max(12, ...shown.map(({ name }) => name.length)),
  );
  const room = output.width - width - 1;
  const label = (text: string) => `${cut(text, width).padEnd(width)} `;
  const lines: Line[] = shown.map((move) => {
    if (move.progress === undefined || !move.isMoving) {
      return `${label(move.name)}${cut(move.doing, room - 1)}`;
    }
    return [label(move.name), ...composeBar(move.progress, move.rate, room)];
  });
  if (hidden > 0) lines.push(cut(`and ${hidden} more`, output.width - 1));
  const bar = composeBar(course.progress, course.rate, room);
  return [...lines, [label(course.label), ...bar]];
}

function cut(foreign: string, width: number): string {
  const text = visible(foreign);
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

function hasEnded({ state }: StateEvent): boolean {
  return state !== "waiting" && state !== "running";
}

/** A line for each beginning and end, and now and then one for what runs long; for logs. */
class PlainView implements ManyView {
  readonly #output: Output;
  readonly #course: PlanCourse;
  readonly #displays = new Map<string, ProgressDisplay>();

  constructor(output: Output, plan: CheckedPlan) {
    this.#output = output;
    this.#course = new PlanCourse(plan);
  }

  update(event: ManyEvent): void {
    const move = this.#course.note(event);
    if (event.type === "move") {
      if (event.event.type === "progress")
        this.#displayOf(event.name)?.update(event.event.progress);
      if (event.event.type === "notice") this.#output.line(`${event.name}: ${event.event.message}`);
    } else if (event.state === "running") {
      this.#output.line(`${event.name}: ${event.reason ?? "begun"}`);
    } else if (hasEnded(event)) {
      this.#output.line(endLine(event.name, event.state, move.endDetail(event)));
    }
  }

  clear(): void {}

  #displayOf(name: string): ProgressDisplay | undefined {
    const known = this.#displays.get(name);
    if (known !== undefined) return known;
    const outputs = { stderr: this.#output, lines: this.#output, label: name };
    const display = createProgressDisplay("plain", outputs);
    if (display !== undefined) this.#displays.set(name, display);
    return display;
  }
}

/** Milliseconds between two events of a move's progress. */
const JSON_INTERVAL = 500;

/** Every event as it is; of progress some. */
class JsonView implements ManyView {
  readonly #output: Output;
  readonly #withProgress: boolean;
  readonly #told = new Map<string, number>();

  constructor(output: Output, withProgress: boolean) {
    this.#output = output;
    this.#withProgress = withProgress;
  }

  update(event: ManyEvent): void {
    if (event.type === "moveState") {
      this.#output.json(event);
      return;
    }
    const { name, event: inner } = event;
    if (inner.type === "progress" && !this.#isDue(name, inner.progress.state !== "copying")) return;
    this.#output.json({ type: "move", name, event: inner });
  }

  clear(): void {}

  #isDue(name: string, isLast: boolean): boolean {
    if (!this.#withProgress) return false;
    const now = performance.now();
    if (!isLast && now - (this.#told.get(name) ?? Number.NEGATIVE_INFINITY) < JSON_INTERVAL) {
      return false;
    }
    this.#told.set(name, now);
    return true;
  }
}
