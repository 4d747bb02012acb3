/**
 * The second example of docs/DRIVERS.md: volumes of a storage array, `array:NAME`, which exports one
 * over iSCSI for as long as somebody has it open. The array's management is here in this process;
 * elsewhere there is a network in between.
 */
import {
  BlockhaulError,
  ExportDriver,
  type ExportRequest,
  type IscsiConnection,
  type Portal,
} from "blockhaul";

/** How an export is reached, and by whom. */
export interface ArrayExport {
  readonly volume: string;
  readonly iqn: string;
  /** Of the host that it is for; absent until one is let in. */
  guest?: { readonly user: string; readonly secret: string };
}

/** What arrays let one do, in one form or another. Every call may be made again. */
export class StorageArray {
  readonly portals: readonly Portal[];
  readonly volumes = new Map<string, { readonly size: number; readonly serial: string }>();
  readonly exports = new Map<string, ArrayExport>();

  constructor(portals: readonly Portal[]) {
    this.portals = portals;
  }

  async addExport(name: string, volume: string): Promise<void> {
    const iqn = `iqn.2026-01.org.example.array:${name}`;
    if (!this.exports.has(name)) this.exports.set(name, { volume, iqn });
  }

  async letIn(name: string): Promise<Required<ArrayExport>> {
    const found = this.exports.get(name);
    if (found === undefined) throw new Error(`no export ${name}`);
    found.guest ??= { user: "blockhaul", secret: crypto.randomUUID() };
    return { ...found, guest: found.guest };
  }

  async shutOut(name: string): Promise<void> {
    delete this.exports.get(name)?.guest;
  }

  async removeExport(name: string): Promise<void> {
    this.exports.delete(name);
  }
}

export class ArrayDriver extends ExportDriver<string> {
  readonly name = "array";
  readonly schemes = ["array"];
  readonly summary = "volumes of a storage array, exported while they are open";
  readonly refForms = ["array:NAME"];
  readonly supports = {
    write: true,
    create: false,
    createOptions: [],
    extents: false,
    zero: true,
    snapshots: false,
    delete: false,
  } as const;

  readonly #array: StorageArray;

  constructor(array: StorageArray) {
    super();
    this.#array = array;
  }

  parseRef(ref: string): string {
    const name = /^array:([a-z0-9-]+)$/.exec(ref)?.[1];
    if (name !== undefined) return name;
    throw new BlockhaulError("ERR_INVALID_REF", {
      volume: ref,
      message: "needs a name of a-z, 0-9 and -",
    });
  }

  formatRef(name: string): string {
    return `array:${name}`;
  }

  override async createExport({ location, ref, id }: ExportRequest<string>): Promise<void> {
    if (!this.#array.volumes.has(location)) {
      throw new BlockhaulError("ERR_NOT_FOUND", { volume: ref, message: "no such volume" });
    }
    await this.#array.addExport(`blockhaul-${id}`, location);
  }

  async initializeConnection({ location, id }: ExportRequest<string>): Promise<IscsiConnection> {
    const { iqn, guest } = await this.#array.letIn(`blockhaul-${id}`);
    return {
      portals: this.#array.portals,
      iqn,
      lun: 1,
      auth: guest,
      // A device that says something else is never opened.
      expected: this.#array.volumes.get(location),
    };
  }

  override async terminateConnection({ id }: ExportRequest<string>): Promise<void> {
    await this.#array.shutOut(`blockhaul-${id}`);
  }

  override async removeExport({ id }: ExportRequest<string>): Promise<void> {
    await this.#array.removeExport(`blockhaul-${id}`);
  }
}
