import { readFileSync } from "node:fs";
import { constants } from "node:os";

/** SIGHUP: the terminal is gone, or the connection to it. */
export type StopSignal = "SIGINT" | "SIGTERM" | "SIGHUP";

const SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Of a command that a signal stopped, as shells count: 130, 143 or 129. */
export function exitCodeOfSignal(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}

/** Whoever starts a command with nohup wants it to outlive the terminal. */
function isIgnored(signal: StopSignal): boolean {
  try {
    const [, mask = "0"] =
      /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

/**
 * Turns the first SIGINT, SIGTERM or SIGHUP into an abort, so that what is under way can end in order; a
 * second one ends the process at once.
 */
export class StopSignals {
  readonly #controller = new AbortController();
  readonly #listeners = new Map<StopSignal, () => void>();
  #received: StopSignal | undefined;

  /** @param onFirst called at the first signal */
  constructor(onFirst: () => void = () => {}) {
    for (const signal of SIGNALS) {
      if (signal === "SIGHUP" && isIgnored(signal)) continue;
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
