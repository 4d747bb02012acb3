type StopSignal = "SIGINT" | "SIGTERM";

const SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM"];

/**
 * Turns the first SIGINT or SIGTERM into an abort, so that what is under way can end in order; a
 * second one ends the process at once.
 */
export class StopSignals {
  readonly #controller = new AbortController();
  readonly #listeners = new Map<StopSignal, () => void>();
  #received: StopSignal | undefined;

  /** @param onFirst called at the first signal */
  constructor(onFirst: () => void = () => {}) {
    for (const signal of SIGNALS) {
      const listener = () => {
        if (this.#received !== undefined) {
          // An exit would wait for requests in flight, and a cluster may never answer them.
          this.release();
          process.kill(process.pid, signal);
          return;
        }
        this.#received = signal;
        onFirst();
        this.#controller.abort(new Error(`stopped by ${signal}`));
      };
      this.#listeners.set(signal, listener);
      process.on(signal, listener);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The signal that came, if one did. */
  get received(): StopSignal | undefined {
    return this.#received;
  }

  /** Gives the signals their usual effect again. */
  release(): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }
}
