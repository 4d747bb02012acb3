import type { AttachedDevice, AttachOptions } from "../driver.js";
import { BlockhaulError } from "../errors.js";
import { ExportDriver, type ExportRequest } from "../export-driver.js";
import type { Exporter } from "../exporters/exporter.js";
import { lioExporter } from "../exporters/lio.js";
import { tgtExporter } from "../exporters/tgt.js";
import { devicePathOf, mappedUuid } from "../lvm/device.js";
import { requireVolume } from "../lvm/volumes.js";
import { formatLvmRef, type LvmExport, type LvmLocation, parseLvmRef } from "./lvm-ref.js";
import { activateFor, snapshotFor } from "./lvm-steps.js";

/** A volume that is opened over iSCSI, and how this open goes about it. */
export interface ExportedLocation extends LvmLocation {
  /** The volume is new, and every byte of it reads as zero. */
  readonly readsAsZero?: boolean;
  /** A snapshot is exported in its place. */
  readonly ofSnapshot?: boolean;
}

/** Logical volumes that are exported over iSCSI by this host to be opened. */
class LvmExportDriver extends ExportDriver<ExportedLocation> {
  // The driver that a record names is found by its name: both ways to open are one driver.
  readonly name = "lvm";
  readonly schemes = ["lvm"];
  readonly summary = "";
  readonly refForms = [];
  readonly supports = {
    write: true,
    create: "when-asked",
    createOptions: ["thinPool"],
    extents: false,
    zero: true,
    snapshots: true,
    delete: true,
    provisioning: ["thick", "thin"],
    resize: true,
    rename: true,
    list: true,
    stats: true,
    shortWay: true,
  } as const;

  override parseRef(ref: string): ExportedLocation {
    return parseLvmRef(ref);
  }

  override formatRef(location: ExportedLocation): string {
    return formatLvmRef(location);
  }

  protected override async prepareVolume(location: ExportedLocation): Promise<boolean> {
    return location.readsAsZero ?? false;
  }

  override async attach(
    location: ExportedLocation,
    options: AttachOptions,
  ): Promise<AttachedDevice> {
    const { attachment } = options;
    const shown = location.ofSnapshot ? await snapshotFor(location, attachment) : location;
    await activateFor(shown, attachment);
    return super.attach({ ...location, ...shown }, options);
  }

  override async createExport(request: ExportRequest<ExportedLocation>): Promise<void> {
    await exporterOf(request.location).create(await deviceExport(request));
  }

  override async initializeConnection(request: ExportRequest<ExportedLocation>) {
    return exporterOf(request.location).admit(await deviceExport(request));
  }

  override async terminateConnection({ location, id }: ExportRequest<ExportedLocation>) {
    await exporterOf(location).dismiss(id);
  }

  override async removeExport({ location, id }: ExportRequest<ExportedLocation>): Promise<void> {
    await exporterOf(location).remove(id);
  }
}

export const lvmExportDriver = new LvmExportDriver();

async function deviceExport({ location, id }: ExportRequest<ExportedLocation>) {
  const volume = await requireVolume(location);
  const device = await devicePathOf(volume);
  return { id, device, identity: mappedUuid(volume), portal: exportOf(location).portal };
}

function exporterOf(location: LvmLocation): Exporter {
  return exportOf(location).target === "lio" ? lioExporter : tgtExporter;
}

function exportOf({ export: exported }: LvmLocation): LvmExport {
  if (exported !== undefined) return exported;
  throw new BlockhaulError("ERR_INTERNAL", { message: "the location is not exported" });
}
