/** Migrations of a plan without storage: volumes are names. */
import { BlockhaulError } from "blockhaul";
import type { Backend } from "../../src/backends.js";
import type { PlanChecks } from "../../src/migrate/plan-check.js";
import type { EarlierMigration } from "../../src/migrate/plan-types.js";
import type { MigrationPlan, MigrationReport } from "../../src/migrate/types.js";

const GiB = 1024 ** 3;

export interface FakeBackend {
  readonly free?: number;
  readonly room?: string;
  readonly limits?: Backend["limits"];
  readonly provisioning?: "thin" | "thick";
  /** Sizes of volumes by their names. */
  readonly volumes?: Readonly<Record<string, number>>;
}

/** Backends, and what a look at them finds. */
export class FakeStorage {
  readonly backends: Readonly<Record<string, FakeBackend>>;
  readonly earlier: Readonly<Record<string, EarlierMigration>>;
  readonly looks: string[] = [];

  /** @param earlier by "source to target" */
  constructor(
    backends: Readonly<Record<string, FakeBackend>>,
    earlier: Readonly<Record<string, EarlierMigration>> = {},
  ) {
    this.backends = backends;
    this.earlier = earlier;
  }

  get checks(): PlanChecks {
    return {
      plan: async (source, target, options) => {
        this.looks.push(source);
        return this.#plan(source, target, options.provisioning);
      },
      endOf: async (ref) => {
        // "/srv/images/x" is "images:x".
        const whole = ref.replace(/^\/srv\/images\//, "images:");
        const key = whole.includes(":") ? whole : undefined;
        const name = whole.split(":")[0] ?? "";
        const limits = this.backends[name]?.limits;
        const backend = this.backends[name] && ({ name, limits: limits ?? {} } as Backend);
        return { key, backend };
      },
      find: async (source, target) => this.earlier[`${source.key} to ${target.key}`],
    };
  }

  #plan(source: string, to: string, provisioning?: "thin" | "thick"): MigrationPlan {
    const [from = "", volume = ""] = source.replace(/^\/srv\/images\//, "images:").split(":");
    const target = /[:/]/.test(to) ? to : `${to}:${volume}`;
    const [backend = "", name = ""] = target.replace(/^\/srv\/images\//, "images:").split(":");
    const place = this.backends[backend];
    const size = this.backends[from]?.volumes?.[volume];
    const problems: BlockhaulError[] = [];
    const problem = (code: "ERR_NOT_FOUND" | "ERR_EXISTS" | "ERR_NO_SPACE", message: string) =>
      problems.push(new BlockhaulError(code, { message }));
    if (size === undefined) problem("ERR_NOT_FOUND", `${source} does not exist`);
    if (place === undefined) problem("ERR_NOT_FOUND", `there is no backend ${backend}`);
    if (place?.volumes?.[name] !== undefined) problem("ERR_EXISTS", `${target} exists already`);
    const free = place?.free ?? 1000 * GiB;
    if (size !== undefined && size > free) problem("ERR_NO_SPACE", "it does not fit");
    return {
      source,
      target,
      sourceDriver: "fake",
      targetDriver: "fake",
      sourceBackend: from,
      targetBackend: place && backend,
      temporary: undefined,
      setAside: undefined,
      size,
      targetSize: size,
      dataSize: size === undefined ? undefined : size / 2,
      free,
      capacity: free,
      room: place?.room ?? backend,
      method: "copy",
      freeze: "snapshot",
      snapshots: [],
      provisioning: provisioning ?? place?.provisioning,
      settings: {},
      problems,
      notices: [],
    };
  }
}

export function fakeReport(fields: Partial<MigrationReport> = {}): MigrationReport {
  return {
    id: "m1",
    source: "images:a",
    target: "ceph:a",
    state: "done",
    size: GiB,
    targetSize: GiB,
    method: "copy",
    digest: "xxh3:00",
    verified: true,
    sourceIs: "kept",
    setAside: undefined,
    snapshots: [],
    copy: undefined,
    notices: [],
    seconds: 1,
    ...fields,
  };
}
