import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../unit/attachments/fixtures/attach.mjs", import.meta.url));

/** Another process that has to do with an attachment, as `fixtures/attach.mjs` says. */
export class AttachingProcess implements AsyncDisposable {
  readonly process: ChildProcess;
  /** What it says once it is where it stays: the attachment's id. */
  readonly said: Promise<string>;

  constructor(...args: readonly string[]) {
    this.process = fork(program, args, { execArgv: [] });
    this.said = Promise.race([
      once(this.process, "message").then(([message]) => String(message)),
      once(this.process, "exit").then(([status]) => {
        throw new Error(`it ended with ${status}`);
      }),
    ]);
    this.said.catch(() => {});
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** As nothing can be handled. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGKILL");
    await once(this.process, "exit");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
