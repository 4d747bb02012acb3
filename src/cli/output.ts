import { once } from "node:events";
import type { Writable } from "node:stream";

import { BlockhaulError, redact } from "../index.js";
import { visible, visibleJson, visibleName } from "./visible.js";

type Stream = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

type Colour = "red" | "green" | "yellow";

/** A part of a line in colour, on a terminal whose owner did not say NO_COLOR. */
export interface Painted {
  readonly colour: Colour;
  readonly text: string;
}

/** One line: what is ours and what others called their things, side by side. */
export type Line = string | readonly (string | Painted)[];

const COLOURS: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33 };
const CLEAR_BEHIND = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** A property of this name, or one that ends so, holds a secret. */
const SECRET_KEY = /(?:^|_)(?:key|secret|passwd|password|passphrase|token)$/i;

/**
 * One of the process's output streams, and the one way to it. Whatever is printed goes through here, so that no secret and
 * no control character gets out, whosever text it is in: escape sequences are only made here. A reader that went away
 * (`| head`) is no error; results that cannot be written (a full disk) are one. Of messages that cannot be, nobody can be
 * told.
 */
export class Output {
  readonly #stream: Stream;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  #closed = false;
  /** Lines that are drawn, and will be drawn over. */
  #drawn = 0;

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

  line(line: Line): void {
    this.lines([line]);
  }

  lines(lines: readonly Line[]): void {
    this.clear();
    this.#write(lines.map((line) => `${this.#show(line)}\n`).join(""));
  }

  /** A name by itself on a line, for programs: `visibleName()`. */
  name(name: string): void {
    this.clear();
    this.#write(`${visibleName(redact(name))}\n`);
  }

  /** A value as one line of JSON. */
  json(value: object): void {
    this.clear();
    this.#write(`${visibleJson(JSON.stringify(value, withoutSecrets))}\n`);
  }

  /** What is to be answered on the same line. */
  prompt(question: string): void {
    this.clear();
    this.#write(this.#show(question));
  }

  /** Draws lines over those that were drawn last; the next thing that is printed takes their place. */
  draw(lines: readonly Line[]): void {
    // Cleared line by line, so that nothing flickers.
    const text = lines.map((line) => `${this.#show(line)}${CLEAR_BEHIND}`).join("\n");
    this.#write(`${this.#toFirstDrawn()}${text}${CLEAR_BELOW}`);
    this.#drawn = lines.length;
  }

  /** Takes away what is drawn. */
  clear(): void {
    if (this.#drawn === 0) return;
    this.#write(`${this.#toFirstDrawn()}${CLEAR_BELOW}`);
    this.#drawn = 0;
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

  #write(text: string): void {
    if (!this.closed) this.#stream.write(text);
  }

  #show(line: Line): string {
    const parts = typeof line === "string" ? [line] : line;
    return parts
      .map((part) => {
        if (typeof part === "string") return visible(redact(part));
        const text = visible(redact(part.text));
        const hasColours = this.isTerminal && !this.#environment.NO_COLOR;
        return hasColours ? `\u001b[${COLOURS[part.colour]}m${text}\u001b[0m` : text;
      })
      .join("");
  }

  #toFirstDrawn(): string {
    if (this.#drawn === 0) return "";
    return this.#drawn === 1 ? "\r" : `\r\u001b[${this.#drawn - 1}A`;
  }
}

function withoutSecrets(key: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  return SECRET_KEY.test(key) ? "***" : redact(value);
}
