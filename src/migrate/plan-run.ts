/** Carries a checked plan out. */
import { type BlockhaulError, toBlockhaulError } from "../errors.js";
import { ALL } from "./plan-check.js";
import { runTasks, type TaskEnd } from "./plan-schedule.js";
import type {
  CheckedMove,
  CheckedPlan,
  ManyEvent,
  ManyOptions,
  ManyReport,
  MoveReport,
} from "./plan-types.js";
import type {
  MigrateOptions,
  MigrationEvent,
  MigrationReport,
  ResumeMigrationOptions,
} from "./types.js";

/** What moves a volume. */
export interface PlanMoves {
  migrate(source: string, target: string, options: MigrateOptions): Promise<MigrationReport>;
  resume(id: string, options: ResumeMigrationOptions): Promise<MigrationReport>;
}

/** What is known of a move while it runs, and after it. */
interface Course {
  id: string | undefined;
  report: MigrationReport | undefined;
  begunAt: number;
}

/**
 * Runs the moves, each once all that it needs is done, as far as the limits allow.
 *
 * @throws what `onEvent` throws, once nothing runs any more
 */
export async function runMoves(
  { moves, shares, continueOnError }: CheckedPlan,
  engine: PlanMoves,
  options: ManyOptions = {},
): Promise<ManyReport> {
  const run = new ManyRun(engine, options);
  const tasks = moves.map((checked) => ({ ...taskOf(checked), checked }));
  const begunAt = performance.now();
  run.announce(moves);
  await runTasks(tasks, {
    shares: new Map([...shares, [ALL, options.parallel ?? shares.get(ALL) ?? 1]]),
    continueOnError: options.continueOnError ?? continueOnError,
    signal: run.signal,
    run: ({ checked }) => run.move(checked),
    onEnd: ({ checked }, end) => run.end(checked, end),
  });
  return run.report(moves, secondsSince(begunAt));
}

/** What was done before waits for nothing, and takes no share. */
function taskOf({ name, needs, shares, earlier }: CheckedMove) {
  return earlier?.state === "done" ? { name, needs: [], shares: [] } : { name, needs, shares };
}

class ManyRun {
  readonly #engine: PlanMoves;
  readonly #options: ManyOptions;
  readonly #courses = new Map<string, Course>();
  readonly #reports = new Map<string, MoveReport>();
  /** Stops everything when `onEvent` throws. */
  readonly #broken = new AbortController();
  readonly signal: AbortSignal;

  constructor(engine: PlanMoves, options: ManyOptions) {
    this.#engine = engine;
    this.#options = options;
    const { signal } = options;
    this.signal =
      signal === undefined ? this.#broken.signal : AbortSignal.any([signal, this.#broken.signal]);
  }

  announce(moves: readonly CheckedMove[]): void {
    for (const { name } of moves) this.#tell({ type: "moveState", name, state: "waiting" });
  }

  async move(checked: CheckedMove): Promise<void> {
    const { name, earlier } = checked;
    if (earlier?.state === "done") return;
    const course: Course = { id: earlier?.id, report: undefined, begunAt: performance.now() };
    this.#courses.set(name, course);
    const reason = earlier === undefined ? {} : { reason: "resumed" };
    this.#tell({ type: "moveState", name, state: "running", ...reason });
    course.report = await this.#migrate(checked, (event) => {
      if (event.type === "begun") course.id = event.id;
      this.#tell({ type: "move", name, event });
    });
  }

  #migrate(
    { move, earlier, bandwidthLimit }: CheckedMove,
    onEvent: (event: MigrationEvent) => void,
  ): Promise<MigrationReport> {
    const { stateDirectory, progressIntervalMs } = this.#options;
    const { options = {}, source, target } = move;
    // Of its own: Node warns of a signal on which many listen.
    const signal = AbortSignal.any([this.signal]);
    const watch = { stateDirectory, progressIntervalMs, signal, onEvent };
    if (earlier === undefined) {
      return this.#engine.migrate(source, target, { ...options, bandwidthLimit, ...watch });
    }
    const { hooks, allow, iopsLimit } = options;
    const limits = { bandwidthLimit, ...(iopsLimit === undefined ? {} : { iopsLimit }) };
    return this.#engine.resume(earlier.id, { hooks, allow, limits, ...watch });
  }

  end(checked: CheckedMove, end: TaskEnd): void {
    const report = this.#reportOf(checked, end);
    const { name, state, reason, error } = report;
    this.#reports.set(name, report);
    this.#tell({ type: "moveState", name, state, reason, error });
  }

  #reportOf({ name, move, target, plan, earlier }: CheckedMove, end: TaskEnd): MoveReport {
    const course = this.#courses.get(name);
    const report = course?.report;
    const isBefore = end.state === "done" && course === undefined;
    const reason = isBefore
      ? "done before"
      : earlier?.state === "cut short"
        ? "resumed"
        : undefined;
    const error = end.state === "failed" ? toBlockhaulError(end.error) : undefined;
    return {
      name,
      source: move.source,
      target: report?.target ?? target,
      state: this.#stateOf(end, error),
      reason: end.state === "skipped" ? end.reason : reason,
      id: report?.id ?? course?.id ?? earlier?.id,
      size: report?.size ?? plan?.size,
      digest: report?.digest,
      seconds: course === undefined ? 0 : secondsSince(course.begunAt),
      error,
      report,
    };
  }

  #stateOf({ state }: TaskEnd, error: BlockhaulError | undefined): MoveReport["state"] {
    return this.signal.aborted && error?.code === "ERR_CANCELLED" ? "interrupted" : state;
  }

  report(moves: readonly CheckedMove[], seconds: number): ManyReport {
    if (this.#broken.signal.aborted) throw this.#broken.signal.reason;
    const reports = moves
      .map(({ name }) => this.#reports.get(name))
      .filter((report) => report !== undefined);
    const count = (state: MoveReport["state"]) =>
      reports.filter((report) => report.state === state).length;
    return {
      moves: reports,
      done: count("done"),
      failed: count("failed"),
      skipped: count("skipped"),
      interrupted: count("interrupted"),
      size: reports.reduce((sum, { report }) => sum + (report?.size ?? 0), 0),
      seconds,
    };
  }

  #tell(event: ManyEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch (error) {
      this.#broken.abort(error);
    }
  }
}

function secondsSince(begunAt: number): number {
  return (performance.now() - begunAt) / 1000;
}
