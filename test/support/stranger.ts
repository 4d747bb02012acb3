/** Another user of this host, who wishes root ill. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";

import { Workspace } from "./workspace.js";

const NOBODY = 65534;

/** A folder of root's that everybody may enter, with a home of the stranger's in it. */
export class Stranger implements Disposable {
  readonly #workspace = new Workspace();
  /** Root's. */
  readonly folder = this.#workspace.folder;
  /** The stranger's. */
  readonly home = this.#workspace.path("home");
  /** What code of the stranger's makes, once root runs it. */
  readonly canary = this.#workspace.path("canary");

  constructor() {
    chmodSync(this.folder, 0o755);
    mkdirSync(this.home, { mode: 0o755 });
    chownSync(this.home, NOBODY, NOBODY);
  }

  /** Of root's folder. */
  path(name: string): string {
    return this.#workspace.path(name);
  }

  /** A file of root's. */
  write(name: string, text: string): string {
    const file = this.path(name);
    writeFileSync(file, text, { mode: 0o644 });
    return file;
  }

  /** Lines of shell that the stranger runs in that home, or in another folder; `$1` and so on are what is given. */
  does(lines: string, given: readonly string[] = [], folder = this.home): void {
    execFileSync("/bin/sh", ["-euc", lines, "sh", ...given], {
      cwd: folder,
      uid: NOBODY,
      gid: NOBODY,
      env: { PATH: "/usr/bin:/bin" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** JavaScript that leaves the canary. */
  get code(): string {
    return `import { writeFileSync } from "node:fs";\nwriteFileSync(${JSON.stringify(this.canary)}, "");\n`;
  }

  /** Whether code of the stranger's was run since this was asked last. */
  get hasRun(): boolean {
    const found = existsSync(this.canary);
    rmSync(this.canary, { force: true });
    return found;
  }

  [Symbol.dispose](): void {
    this.#workspace[Symbol.dispose]();
  }
}
