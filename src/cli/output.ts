import { once } from "node:events";
import type { Writable } from "node:stream";

import { BlockhaulError } from "../index.js";

type Stream = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/**
 * One of the process's output streams. A reader that went away (`| head`) is no error; results that
 * cannot be written (a full disk) are one. Of messages that cannot be, nobody can be told.
 */
export class Output {
  readonly #stream: Stream;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  #closed = false;

  constructor(stream: Stream, environment: Readonly<Record<string, string | undefined>>) {
    this.#stream = stream;
    this.#environment = environment;
    stream.on("error", (error: NodeJS.ErrnoException) => {
      this.#closed = true;
      if (error.code === "EPIPE" || stream === process.stderr) return;
      throw new BlockhaulError("ERR_IO", {
        message: `standard output cannot be written to: ${error.message}`,
        hint: "what was printed is not complete",
        cause: error,
      });
    });
  }

  /** The reader went away: nothing more needs to be made. */
  get closed(): boolean {
    return this.#closed || this.#stream.destroyed;
  }

  get isTerminal(): boolean {
    const { TERM } = this.#environment;
    return this.#stream.isTTY === true && TERM !== "dumb";
  }

  /** Columns of the terminal; 80 where it does not say. */
  get width(): number {
    return this.#stream.columns || 80;
  }

  /** Lines of the terminal; 24 where it does not say. */
  get height(): number {
    return this.#stream.rows || 24;
  }

  write(text: string): void {
    if (!this.closed) this.#stream.write(text);
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  json(value: object): void {
    this.line(JSON.stringify(value));
  }

  /** Waits until the reader has taken what was written, so that a long output does not pile up. */
  async drained(): Promise<void> {
    if (this.closed || !this.#stream.writableNeedDrain) return;
    const either = new AbortController();
    const events = ["drain", "close"].map((event) =>
      once(this.#stream, event, { signal: either.signal }),
    );
    await Promise.race(events).catch(() => {});
    either.abort(); // or each wait would leave its listeners behind
  }

  /** A text in colour, on a terminal whose owner did not say NO_COLOR. */
  paint(colour: "red" | "green" | "yellow" | "dim", text: string): string {
    const { NO_COLOR } = this.#environment;
    if (!this.isTerminal || NO_COLOR) return text;
    const code = { red: 31, green: 32, yellow: 33, dim: 2 }[colour];
    return `\u001b[${code}m${text}\u001b[0m`;
  }
}
