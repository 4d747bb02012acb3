import { execFile } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";

const execute = promisify(execFile);

export interface LoopOptions {
  /** Bytes of a sector: 512 unless told. */
  readonly sectorSize?: 512 | 4096;
  readonly readOnly?: boolean;
  /** Bytes of the file that come before the device's; 0 unless told. */
  readonly offset?: number;
  /** Bytes; to the file's end unless told. */
  readonly size?: number;
}

export interface LoopDevice {
  /** "/dev/loop7" */
  readonly path: string;
  /** The file that holds its bytes. */
  readonly backing: string;
}

/**
 * The command that attaches the next free device and says which it is. One at a time on this host: two that look for a
 * free one find the same, and the one that comes too late has had it open for writing while a test is using it.
 */
export function losetup(...args: readonly string[]): [program: string, ...args: string[]] {
  const lock = "/run/lock/blockhaul-tests-losetup";
  return ["flock", lock, "losetup", "--find", "--show", ...args];
}

/** Loop devices of one test file; all of them are detached at its end. */
export class LoopDevices implements AsyncDisposable {
  readonly #attached = new Set<string>();

  /** A device over an existing file. */
  async attach(backing: string, options: LoopOptions = {}): Promise<LoopDevice> {
    const flags = [
      ...(options.sectorSize === undefined ? [] : ["--sector-size", String(options.sectorSize)]),
      ...(options.readOnly ? ["--read-only"] : []),
      ...(options.offset === undefined ? [] : ["--offset", String(options.offset)]),
      ...(options.size === undefined ? [] : ["--sizelimit", String(options.size)]),
    ];
    const [program, ...args] = losetup(...flags, backing);
    const { stdout } = await execute(program, args);
    const path = stdout.trim();
    this.#attached.add(path);
    return { path, backing };
  }

  /** A device over a new, sparse file. */
  attachNew(backing: string, size: number, options: LoopOptions = {}): Promise<LoopDevice> {
    writeFileSync(backing, "");
    truncateSync(backing, size);
    return this.attach(backing, options);
  }

  async detach({ path }: LoopDevice): Promise<void> {
    this.#attached.delete(path);
    await execute("losetup", ["--detach", path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of this.#attached) await this.detach({ path, backing: "" });
  }
}
