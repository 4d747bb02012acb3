import { CopyControl, type CopyProgress } from "../index.js";
import type { CommandContext } from "./command.js";
import {
  createProgressDisplay,
  type ProgressDisplay,
  ProgressLine,
  type ProgressMode,
  progressEvent,
  type ShownProgress,
} from "./progress.js";
import { type StopSignal, StopSignals } from "./stop-signals.js";

interface WatchOptions {
  readonly progress?: "auto" | ProgressMode;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** Shows how a run of the engine goes on, also when a signal asks, and has the first signal to stop stop it. */
export class Watch {
  readonly control = new CopyControl();
  readonly #display: ProgressDisplay | undefined;
  readonly #signals: StopSignals;
  readonly #line: ProgressLine;
  readonly #stopAnswering: () => void;
  #progress: ShownProgress | undefined;

  /** @param label of lines of progress: "source to target" */
  constructor(label: string, options: WatchOptions, context: CommandContext) {
    const { stdout, stderr } = context;
    const lines = options.json ? stdout : stderr;
    this.#display = createProgressDisplay(progressMode(options, context), { stderr, lines, label });
    this.#signals = new StopSignals(() => {
      this.clear();
      if (!options.quiet) stderr.line("stopping; once more ends it at once");
    });
    this.#line = new ProgressLine(label);
    this.#stopAnswering = context.requests.answerBy(() => {
      this.clear();
      if (this.#progress === undefined) context.requests.otherwise();
      else if (options.json) stdout.json(progressEvent(this.#progress));
      else stderr.line(this.#line.text);
    });
  }

  get signal(): AbortSignal {
    return this.#signals.signal;
  }

  /** The signal that came, if one did. */
  get received(): StopSignal | undefined {
    return this.#signals.received;
  }

  /** What was reported last. */
  get progress(): CopyProgress | undefined {
    return this.#progress;
  }

  readonly onProgress = (progress: CopyProgress): void => {
    this.#progress = { ...progress, paused: this.control.paused };
    this.#line.update(this.#progress);
    this.#display?.update(this.#progress);
  };

  /** What the library takes. */
  get options() {
    return { signal: this.signal, onProgress: this.onProgress, control: this.control };
  }

  /** Takes away what would stand in the way of what is printed next. */
  clear(): void {
    this.#display?.clear();
  }

  release(): void {
    this.clear();
    this.#stopAnswering();
    this.#signals.release();
  }
}

/** What `auto` means here. */
export function progressMode(
  options: WatchOptions,
  { stderr }: Pick<CommandContext, "stderr">,
): ProgressMode {
  const { progress = "auto" } = options;
  if (progress !== "auto") return progress;
  if (options.quiet) return "none";
  if (options.json) return "json";
  return stderr.isTerminal ? "bar" : "plain";
}
