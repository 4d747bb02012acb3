import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A volume as the oracle names it: by a path, or an image of its pool. */
export type OracleVolume =
  | { readonly path: string }
  | { readonly image: string; readonly snapshot?: string };

export type Range = readonly [offset: number, length: number];

export interface ImageOptions {
  /** log2 of the object size; 22 unless told. */
  readonly order?: number;
  /** Without object map and fast diff, so that extents are asked of every object. */
  readonly features?: "layering";
  readonly stripe_unit?: number;
  readonly stripe_count?: number;
}

export type ImageChange =
  | readonly ["write", offset: number, length: number, seed: number]
  | readonly ["write zeros" | "zero" | "discard", offset: number, length: number]
  | readonly ["snapshot" | "remove snapshot" | "roll back", name: string]
  | readonly ["resize", size: number]
  | readonly ["flatten"]
  /** Whether it has an object map and fast diff. */
  | readonly ["map objects", enabled: boolean];

/** What one call may take. Debian's librbd deadlocks now and then while it changes an image: the oracle's, which is not ours. */
const DEADLINE_MS = 50_000;

/**
 * Prepares volumes and says what they hold, in a Python process of its own that shares no code with the
 * engine: test/support/oracle.py tells what each function does.
 */
export class Oracle implements AsyncDisposable {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  readonly #complaints: string[] = [];
  #last: Promise<unknown> = Promise.resolve();

  /** @param pool of the cluster, where images are to be prepared or judged */
  constructor(ceph?: { conf: string; pool: string }) {
    const script = fileURLToPath(new URL("oracle.py", import.meta.url));
    const args = ceph === undefined ? [] : [ceph.conf, ceph.pool];
    // Debian's own Python: another has no python3-rbd.
    this.#process = spawn("/usr/bin/python3", [script, ...args]);
    this.#process.stderr.on("data", (data: Buffer) => this.#complaints.push(data.toString()));
    // That it ended is told by the answer that does not come.
    this.#process.stdin.on("error", () => {});
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  create(image: string, size: number, options: ImageOptions = {}): Promise<void> {
    return this.#call("create", { image, size, ...options });
  }

  clone(parent: string, snapshot: string, image: string): Promise<void> {
    return this.#call("clone", { parent, snapshot, image });
  }

  /** Does steps to an image, one after the other. */
  change(image: string, ...steps: readonly ImageChange[]): Promise<void> {
    return this.#call("change", { image, steps });
  }

  fill(volume: OracleVolume, byte: number, length?: number): Promise<void> {
    return this.#call("fill", { volume, byte, length });
  }

  /** Writes ranges of a file to the same places of a volume, and makes others zero in the volume's own way. */
  write(
    volume: OracleVolume,
    content: string,
    data: readonly Range[],
    zeroes: readonly Range[] = [],
  ): Promise<void> {
    return this.#call("write", { volume, content, data, zeroes });
  }

  /**
   * What differs between a volume and a file; null if nothing does. Where the volume has more bytes, those must all
   * be `tail`.
   *
   * @param size the volume's
   */
  compare(volume: OracleVolume, content: string, size: number, tail = 0): Promise<string | null> {
    return this.#call("compare", { volume, content, size, tail });
  }

  /** What differs between two volumes; null if nothing does. Only what holds data is read. */
  compareSparse(volume: OracleVolume, other: OracleVolume): Promise<string | null> {
    return this.#call("compare_sparse", { volume, other });
  }

  /** The digest that a copy of a volume must report. */
  digest(kind: "xxh3" | "sha256", volume: OracleVolume): Promise<string> {
    return this.#call("digest", { kind, volume });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.stdin.end();
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) await once(this.#process, "exit");
  }

  /** One after the other: answers carry no number. */
  #call<Result>(name: string, args: object): Promise<Result> {
    const answer = this.#last.then(async () => {
      this.#process.stdin.write(`${JSON.stringify([name, args])}\n`);
      const deadline = setTimeout(() => {
        this.#complaints.push(`no answer to "${name}"`);
        this.#process.kill("SIGKILL");
      }, DEADLINE_MS);
      const { value, done } = await this.#answers.next().finally(() => clearTimeout(deadline));
      if (done) throw new Error(`the oracle ended: ${this.#complaints.join("")}`);
      const parsed = JSON.parse(value) as { result?: Result; error?: string };
      if (parsed.error !== undefined) throw new Error(`oracle: ${parsed.error}`);
      return parsed.result as Result;
    });
    this.#last = answer.catch(() => {});
    return answer;
  }
}
