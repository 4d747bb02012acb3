/**
 * SIGUSR1 asks how far it is, as of `dd`. Without a handler of ours, Node would open its debugger's port for it, through
 * which every user of the host could have this process do anything.
 */
export class ProgressRequests {
  #answer: (() => void) | undefined;
  /** What is said where nothing is under way; nothing at all unless told. */
  otherwise: () => void = () => {};

  /** For the rest of the process: a handler that is taken away would give the signal its old effect again. */
  constructor() {
    process.on("SIGUSR1", () => {
      const say = this.#answer ?? this.otherwise;
      say();
    });
    closeDebugger();
  }

  /** @returns what ends it */
  answerBy(answer: () => void): () => void {
    this.#answer = answer;
    return () => {
      if (this.#answer === answer) this.#answer = undefined;
    };
  }
}

/** Closes the port that a signal opened before our handler was there; not one that was asked for by `--inspect`. */
export function closeDebugger(): void {
  const asked = [...process.execArgv, process.env.NODE_OPTIONS ?? ""];
  if (!process.features.inspector || asked.some((option) => option.includes("--inspect"))) return;
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector.url() !== undefined) inspector.close();
}
