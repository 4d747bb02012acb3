import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** A pool of one test file: what it leaves behind goes with the pool. */
export class RbdPool implements AsyncDisposable {
  readonly conf: string;
  readonly name: string;

  private constructor(conf: string, name: string) {
    this.conf = conf;
    this.name = name;
  }

  static async create(conf: string, purpose: string): Promise<RbdPool> {
    const pool = new RbdPool(conf, `${purpose}-${process.pid}`);
    await pool.ceph("osd", "pool", "create", pool.name, "8");
    await pool.ceph("osd", "pool", "application", "enable", pool.name, "rbd");
    return pool;
  }

  ref(image: string): string {
    return `rbd:${this.name}/${image}:conf=${this.conf}`;
  }

  async ceph(...args: readonly string[]): Promise<string> {
    return (await execute("ceph", ["-c", this.conf, ...args])).stdout;
  }

  async rbd(...args: readonly string[]): Promise<string> {
    return (await execute("rbd", ["-c", this.conf, "-p", this.name, ...args])).stdout;
  }

  /** Bytes that its objects take of the disks, once everything written so far is counted. */
  async allocated(): Promise<number> {
    const sequence = BigInt(await this.ceph("tell", "osd.0", "flush_pg_stats"));
    while (BigInt(await this.ceph("osd", "last-stat-seq", "0")) < sequence);
    const { pools } = JSON.parse(await this.ceph("df", "detail", "--format", "json"));
    const own = pools.find(({ name }: { name: string }) => name === this.name);
    return own.stats.bytes_used;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ceph("osd", "pool", "delete", this.name, this.name, "--yes-i-really-really-mean-it");
  }
}
