import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

interface DeviceFacts {
  /** "8:16" */
  readonly number: string;
  /** Attributes beside `dev` and `ro`: "dm/uuid", "loop/backing_file", "device/wwid". */
  readonly attributes?: Readonly<Record<string, string>>;
  readonly readOnly?: boolean;
  /** Names of partitions and their numbers. */
  readonly partitions?: Readonly<Record<string, string>>;
  /** Names of what it is built on, added before; "sdb/sdb1" of a partition. */
  readonly on?: readonly string[];
}

/** A sysfs and a procfs of devices and processes that this machine does not have. */
export class FakeHost implements Disposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), "blockhaul-host-"));
  readonly sysfs = path.join(this.folder, "sys");
  readonly proc = path.join(this.folder, "proc");

  constructor() {
    for (const folder of ["dev/block", "block", "devices"]) this.#makeFolder(this.sysfs, folder);
    this.mounts("");
    this.write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n");
  }

  device(name: string, facts: DeviceFacts): this {
    const folder = this.#makeFolder(this.sysfs, `devices/${name}`);
    const { number, attributes = {}, readOnly = false, partitions = {}, on = [] } = facts;
    this.#describe(folder, number, readOnly);
    symlinkSync(folder, path.join(this.sysfs, "block", name));
    for (const [file, value] of Object.entries(attributes)) {
      this.write(`sys/devices/${name}/${file}`, `${value}\n`);
    }
    for (const [partition, itsNumber] of Object.entries(partitions)) {
      const inside = this.#makeFolder(folder, partition);
      this.#describe(inside, itsNumber, readOnly);
      writeFileSync(path.join(inside, "partition"), "1\n");
    }
    for (const lower of on) {
      const below = path.join(this.sysfs, "devices", lower);
      symlinkSync(folder, path.join(below, "holders", name));
      symlinkSync(below, path.join(folder, "slaves", path.basename(lower)));
    }
    return this;
  }

  /** Lines of mountinfo, of this process or another. */
  mounts(lines: string, process = "self"): this {
    return this.write(`proc/${process}/mountinfo`, lines);
  }

  /** A process with one descriptor, which leads to a path. */
  process(pid: number, name: string, leadsTo: string, flags: string, namespace = "own"): this {
    const folder = `proc/${pid}`;
    this.write(`${folder}/comm`, `${name}\n`);
    this.write(`${folder}/fdinfo/3`, `pos:\t0\nflags:\t${flags}\n`);
    for (const part of ["fd", "ns"]) this.#makeFolder(this.folder, `${folder}/${part}`);
    symlinkSync(leadsTo, path.join(this.folder, folder, "fd/3"));
    symlinkSync(`mnt:[${namespace}]`, path.join(this.folder, folder, "ns/mnt"));
    return this;
  }

  /** Of the processes that are seen: "pid:[4026531836]". */
  namespaceOf(processes: string): this {
    this.#makeFolder(this.folder, "proc/self/ns");
    symlinkSync(processes, path.join(this.proc, "self/ns/pid"));
    return this;
  }

  write(file: string, content: string): this {
    const full = path.join(this.folder, file);
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, content);
    return this;
  }

  path(file: string): string {
    return path.join(this.folder, file);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #describe(folder: string, number: string, readOnly: boolean): void {
    writeFileSync(path.join(folder, "dev"), `${number}\n`);
    writeFileSync(path.join(folder, "ro"), `${readOnly ? 1 : 0}\n`);
    for (const links of ["holders", "slaves"]) this.#makeFolder(folder, links);
    symlinkSync(folder, path.join(this.sysfs, "dev/block", number));
  }

  #makeFolder(...parts: string[]): string {
    const folder = path.join(...parts);
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}
