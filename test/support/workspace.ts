import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** A folder of one test file, on a file system with holes and O_DIRECT wherever the machine has one. */
export class Workspace implements Disposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "blockhaul-e2e-"));

  path(name: string): string {
    return path.join(this.folder, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
