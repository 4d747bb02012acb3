/** How far the moves of a plan are, from what is told of them. */
import {
  type CheckedPlan,
  type CopyProgress,
  formatDuration,
  formatSize,
  type ManyEvent,
  type MigrationEvent,
  type MoveState,
} from "../index.js";
import { SmoothRate } from "./progress.js";

/** One move. */
export class MoveCourse {
  readonly name: string;
  readonly #rate = new SmoothRate();
  readonly #begunAt = performance.now();
  /** What it does, in words. */
  doing = "planned";
  state: MoveState = "waiting";
  /** Bytes, as the check found it. */
  size: number;
  progress: CopyProgress | undefined;
  /** Bytes a second. */
  rate = 0;

  constructor(name: string, size: number) {
    this.name = name;
    this.size = size;
  }

  note(event: MigrationEvent): void {
    if (event.type === "planned") this.size = event.plan.size ?? this.size;
    if (event.type === "state") this.doing = event.state;
    if (event.type === "hook" && event.state === "begun") this.doing = `hook ${event.hook}`;
    if (event.type !== "progress") return;
    this.progress = event.progress;
    this.size = event.progress.total;
    this.rate = this.#rate.update(event.progress);
  }

  /** Bytes are moved or read back right now: there is a share to show. */
  get isMoving(): boolean {
    return this.progress !== undefined && /^(copying|verifying)$/.test(this.doing);
  }

  /** Bytes that are at the target. */
  get done(): number {
    if (this.state === "done") return this.size;
    if (this.progress === undefined) return 0;
    return this.progress.phase === "copy" ? this.progress.done : this.size;
  }

  /** What is said of it when it has ended. */
  endDetail({ reason, error }: Extract<ManyEvent, { type: "moveState" }>): string | undefined {
    if (error !== undefined) return error.message;
    if (this.state !== "done" || reason === "done before") return reason;
    const seconds = (performance.now() - this.#begunAt) / 1000;
    return `${formatSize(this.size)} in ${formatDuration(seconds)}`;
  }
}

/** All moves of a plan. */
export class PlanCourse {
  readonly #plan: CheckedPlan;
  readonly #moves: Map<string, MoveCourse>;
  readonly #begunAt = performance.now();

  constructor(plan: CheckedPlan) {
    this.#plan = plan;
    this.#moves = new Map(plan.moves.map(({ name }) => [name, this.#newCourse(name)]));
  }

  #newCourse(name: string): MoveCourse {
    const checked = this.#plan.moves.find((move) => move.name === name);
    return new MoveCourse(name, checked?.plan?.size ?? 0);
  }

  note(event: ManyEvent): MoveCourse {
    let move = this.#moves.get(event.name);
    const begins = event.type === "moveState" && event.state === "running";
    if (move === undefined || begins) {
      // Its time counts from here on.
      move = this.#newCourse(event.name);
      this.#moves.set(event.name, move);
    }
    if (event.type === "move") move.note(event.event);
    else move.state = event.state;
    return move;
  }

  get running(): MoveCourse[] {
    return [...this.#moves.values()].filter(({ state }) => state === "running");
  }

  count(...states: MoveState[]): number {
    return [...this.#moves.values()].filter(({ state }) => states.includes(state)).length;
  }

  get moves(): number {
    return this.#moves.size;
  }

  /** "3 of 20": how many have ended. */
  get label(): string {
    const ended = this.count("done", "failed", "skipped", "interrupted");
    return `${ended} of ${this.moves}`;
  }

  /** Of all together, as if it were one copy. */
  get progress(): CopyProgress {
    const all = [...this.#moves.values()];
    const sum = (of: (move: MoveCourse) => number) => all.reduce((sum, move) => sum + of(move), 0);
    const seconds = (performance.now() - this.#begunAt) / 1000;
    const [total, done] = [sum(({ size }) => size), sum((move) => move.done)];
    const none = { read: 0, written: 0, zeroed: 0, skipped: 0, begin: 0, retries: 0 };
    return { phase: "copy", state: "copying", total, done, seconds, ...none };
  }

  /** Bytes a second of all that are copied right now. */
  get rate(): number {
    return this.running
      .filter(({ progress }) => progress?.phase === "copy")
      .reduce((sum, { rate }) => sum + rate, 0);
  }
}
