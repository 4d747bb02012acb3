/** Which copies a JavaScript volume works for, so that its driver hears when nobody waits for a request any more. */

/** Somebody who makes requests: a copy, or a call of `Volume`. */
export interface Caller {
  /** It does not wait for its requests any more, though it is still there, and may make some that it had begun. */
  abort(reason: unknown): void;
  /** It is gone; requests of it that are still under way hang. */
  leave(): void;
}

/** Requests that were begun while the same callers were there. */
interface Group {
  /** Those that still wait. */
  readonly waiting: Set<Caller>;
  readonly controller: AbortController;
  underWay: number;
}

/**
 * The engine does not say for which of the copies of a volume a request is. So a request's signal fires once
 * *none* of those who were there when it began waits any more: never too early, and with one copy, which is the rule, at
 * once.
 */
export class Callers {
  readonly #present = new Set<Caller>();
  /** Of those present, who wait for nothing any more, and why. */
  readonly #aborted = new Map<Caller, unknown>();
  readonly #groups = new Set<Group>();
  #current: Group | undefined;

  enter(): Caller {
    const caller: Caller = {
      abort: (reason) => {
        if (!this.#present.has(caller) || this.#aborted.has(caller)) return;
        this.#aborted.set(caller, reason);
        this.#drop(caller, reason);
      },
      leave: () => {
        this.#present.delete(caller);
        this.#aborted.delete(caller);
        this.#drop(caller, new DOMException("Nobody waits for it", "AbortError"));
      },
    };
    this.#present.add(caller);
    this.#current = undefined;
    return caller;
  }

  /** Does a request with the signal that belongs to it. */
  async during<Result>(request: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const group = this.#groupOfNow();
    group.underWay += 1;
    try {
      return await request(group.controller.signal);
    } finally {
      group.underWay -= 1;
      this.#forget(group);
    }
  }

  #groupOfNow(): Group {
    if (this.#current === undefined) {
      const controller = new AbortController();
      const waiting = new Set([...this.#present].filter((caller) => !this.#aborted.has(caller)));
      this.#current = { waiting, controller, underWay: 0 };
      this.#groups.add(this.#current);
      // The engine's threads may have made it just before they were stopped.
      const [reason] = this.#aborted.values();
      if (this.#present.size > 0 && waiting.size === 0) controller.abort(reason);
    }
    return this.#current;
  }

  #drop(caller: Caller, reason: unknown): void {
    this.#current = undefined;
    for (const group of this.#groups) {
      const isOfIt = group.waiting.delete(caller);
      if (isOfIt && group.waiting.size === 0 && group.underWay > 0) {
        group.controller.abort(reason);
      }
      this.#forget(group);
    }
  }

  #forget(group: Group): void {
    if (group !== this.#current && group.underWay === 0) this.#groups.delete(group);
  }
}
