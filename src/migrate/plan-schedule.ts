/** What may run at once of tasks that need each other and share limited things. */

/** One of the tasks. */
export interface Task {
  readonly name: string;
  /** Tasks that have to be done before. */
  readonly needs: readonly string[];
  /** What it takes one share of while it runs. */
  readonly shares: readonly string[];
}

/** How a task ended: "skipped" was never begun. */
export type TaskEnd =
  | { readonly state: "done" }
  | { readonly state: "failed"; readonly error: unknown }
  | { readonly state: "skipped"; readonly reason: string };

export interface ScheduleOptions<One extends Task> {
  /** How many tasks may have a share of a thing at once; without an entry: any number. */
  readonly shares: ReadonlyMap<string, number>;
  /** Goes on with what does not need a task that failed; otherwise nothing new is begun after a failure. */
  readonly continueOnError: boolean;
  /** Nothing new is begun; what runs is waited for. */
  readonly signal?: AbortSignal | undefined;
  run(task: One): Promise<void>;
  /** Called once for each task, before those that need it are looked at; must not throw. */
  onEnd(task: One, end: TaskEnd): void;
}

/**
 * Runs tasks, each once all that it needs is done, in their order as far as there are shares. Every task is
 * ended exactly once when it resolves.
 *
 * @param tasks without circles, and with names that differ
 */
export async function runTasks<One extends Task>(
  tasks: readonly One[],
  options: ScheduleOptions<One>,
): Promise<void> {
  const schedule = new Schedule(tasks, options);
  await schedule.run();
}

class Schedule<One extends Task> {
  readonly #options: ScheduleOptions<One>;
  readonly #ends = new Map<string, TaskEnd>();
  readonly #taken = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  #waiting: readonly One[];
  #failed: string | undefined;

  constructor(tasks: readonly One[], options: ScheduleOptions<One>) {
    this.#waiting = tasks;
    this.#options = options;
  }

  async run(): Promise<void> {
    for (;;) {
      this.#skip();
      this.#begin();
      if (this.#running.size > 0) await Promise.race(this.#running);
      else if (this.#waiting.length === 0) return;
      else this.#skipAll("it waits for what never ends"); // a circle: nobody checked
    }
  }

  /** What can never begin any more, and what that keeps from beginning. */
  #skip(): void {
    for (;;) {
      const skipped = this.#waiting.filter((task) => this.#end(task, this.#reasonToSkip(task)));
      if (skipped.length === 0) return;
      this.#waiting = this.#waiting.filter((task) => !skipped.includes(task));
    }
  }

  #reasonToSkip({ needs }: One): string | undefined {
    if (this.#options.signal?.aborted) return "stopped before it began";
    for (const name of needs) {
      const state = this.#ends.get(name)?.state;
      if (state === "failed") return `it needs ${name}, which failed`;
      if (state === "skipped") return `it needs ${name}, which was skipped`;
    }
    if (this.#failed === undefined || this.#options.continueOnError) return undefined;
    return `not begun, since ${this.#failed} failed`;
  }

  #skipAll(reason: string): void {
    for (const task of this.#waiting) this.#end(task, reason);
    this.#waiting = [];
  }

  /** @returns whether there was a reason */
  #end(task: One, reason: string | undefined): boolean {
    if (reason === undefined) return false;
    this.#settle(task, { state: "skipped", reason });
    return true;
  }

  #begin(): void {
    this.#waiting = this.#waiting.filter((task) => {
      if (!this.#isReady(task)) return true;
      this.#take(task, 1);
      const running = this.#perform(task).then(() => {
        this.#running.delete(running);
        this.#take(task, -1);
      });
      this.#running.add(running);
      return false;
    });
  }

  #isReady({ needs, shares }: One): boolean {
    const { shares: limits, signal } = this.#options;
    return (
      !signal?.aborted &&
      needs.every((name) => this.#ends.get(name)?.state === "done") &&
      shares.every((name) => (this.#taken.get(name) ?? 0) < (limits.get(name) ?? Infinity))
    );
  }

  #take({ shares }: One, count: 1 | -1): void {
    for (const name of new Set(shares)) {
      this.#taken.set(name, (this.#taken.get(name) ?? 0) + count);
    }
  }

  async #perform(task: One): Promise<void> {
    const end = await this.#options.run(task).then(
      (): TaskEnd => ({ state: "done" }),
      (error: unknown): TaskEnd => ({ state: "failed", error }),
    );
    if (end.state === "failed") this.#failed ??= task.name;
    this.#settle(task, end);
  }

  #settle(task: One, end: TaskEnd): void {
    this.#ends.set(task.name, end);
    this.#options.onEnd(task, end);
  }
}
