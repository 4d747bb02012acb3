import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";

/** Runs a program that has to succeed. */
export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
}

/** A file system that is mounted until the end of a block. */
export class Mounted implements Disposable {
  readonly folder: string;

  constructor(device: string, folder: string, options = "rw", type = "auto") {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
    run("mount", "-t", type, "-o", options, device, folder);
  }

  [Symbol.dispose](): void {
    run("umount", this.folder);
    rmSync(this.folder, { recursive: true });
  }
}

/** Swap that is on until the end of a block. */
export class Swapped implements Disposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    run("mkswap", path);
    run("swapon", path);
  }

  [Symbol.dispose](): void {
    run("swapoff", this.path);
  }
}

/** A process that does something, says a line, and stays until the end of a block. */
export class Holder implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  static async start(program: string, ...args: readonly string[]): Promise<Holder> {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const said = once(child.stdout, "data");
    const ended = once(child, "exit").then(() => {
      throw new Error(`${program} ended before it was there`);
    });
    await Promise.race([said, ended]);
    ended.catch(() => {});
    return new Holder(child);
  }

  /** A process that has a file open, in a mode of node's. */
  static ofFile(file: string, flags: string): Promise<Holder> {
    const script = `fs.openSync(process.argv[1], process.argv[2]); console.log("there"); process.stdin.resume()`;
    return Holder.start(process.execPath, "-e", script, file, flags);
  }

  /** A process that has mapped a file to write to it, and has closed it again. */
  static ofMapping(file: string): Promise<Holder> {
    const script = `import mmap, sys
with open(sys.argv[1], "r+b") as file: memory = mmap.mmap(file.fileno(), 4096)
print("there", flush=True)
sys.stdin.read()`;
    return Holder.start("python3", "-c", script, file);
  }

  /** A process that has a volume open, for writing or only to read. */
  static ofVolume(ref: string, mode: "read" | "write"): Promise<Holder> {
    const library = new URL("../../dist/index.js", import.meta.url).href;
    const script = `const { openVolume } = await import(${JSON.stringify(library)});
      globalThis.kept = await openVolume(process.argv[1], { mode: process.argv[2] });
      console.log("there"); process.stdin.resume();`;
    return Holder.start(process.execPath, "--input-type=module", "-e", script, ref, mode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}
