/** The grammar of lvm refs: `lvm:VG/LV[?export=iscsi[&target=lio|tgt][&portal=ADDRESS[:PORT]]]`. */
import type { Portal } from "../connectors/connection.js";
import { DEFAULT_PORT, formatPortal, parsePortal } from "../connectors/iscsi/names.js";
import { BlockhaulError } from "../errors.js";
import { exportPortal } from "../exporters/names.js";
import { faultOfGroupName, faultOfVolumeName } from "../lvm/names.js";

export interface LvmLocation {
  readonly vg: string;
  readonly lv: string;
  /** How it is exported to be opened; opened directly without it. */
  readonly export?: LvmExport;
}

/** Over iSCSI, from this host to itself or to others. */
export interface LvmExport {
  readonly target: "lio" | "tgt";
  readonly portal: Portal;
}

const DEFAULT_PORTAL: Portal = { host: "127.0.0.1", port: DEFAULT_PORT };

/**
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parseLvmRef(ref: string): LvmLocation {
  if (!ref.startsWith("lvm:")) throw invalid(ref, "does not begin with lvm:");
  const text = ref.slice("lvm:".length);
  const query = text.indexOf("?");
  const [vg = "", lv, ...further] = (query < 0 ? text : text.slice(0, query)).split("/");
  if (lv === undefined) throw invalid(ref, "names no volume of a volume group");
  if (further.length > 0) throw invalid(ref, "has more than VG/LV in its path");
  const fault = faultOfGroupName(vg) ?? faultOfVolumeName(vg, lv);
  if (fault !== undefined) throw invalid(ref, fault);
  return { vg, lv, ...(query < 0 ? {} : { export: parseExport(ref, text.slice(query + 1)) }) };
}

/** The ref that `parseLvmRef` reads as this location. */
export function formatLvmRef({ vg, lv, export: exported }: LvmLocation): string {
  const path = `lvm:${vg}/${lv}`;
  if (exported === undefined) return path;
  return `${path}?export=iscsi&target=${exported.target}&portal=${formatPortal(exported.portal)}`;
}

/**
 * The volume of that name in the same group.
 *
 * @throws BlockhaulError ERR_INVALID_REF where LVM has no such name
 */
export function volumeBeside(location: LvmLocation, name: string): LvmLocation {
  const fault = faultOfVolumeName(location.vg, name);
  if (fault === undefined) return { ...location, lv: name };
  throw new BlockhaulError("ERR_INVALID_REF", { message: fault });
}

function parseExport(ref: string, query: string): LvmExport {
  const options = new Map<string, string>();
  for (const option of query.split("&")) {
    const [, key, value] = /^(export|target|portal)=(.+)$/s.exec(option) ?? [];
    if (key === undefined || value === undefined) {
      throw invalid(
        ref,
        `has an option "${option.slice(0, 40)}" that is not known or not complete`,
      );
    }
    if (options.has(key)) throw invalid(ref, `has the option ${key} twice`);
    options.set(key, value);
  }
  if (options.get("export") !== "iscsi") throw invalid(ref, "has options, but not export=iscsi");
  const target = options.get("target") ?? "lio";
  if (target !== "lio" && target !== "tgt")
    throw invalid(ref, "has a target other than lio or tgt");
  return { target, portal: parseExportPortal(ref, options.get("portal")) };
}

function parseExportPortal(ref: string, text: string | undefined): Portal {
  if (text === undefined) return DEFAULT_PORTAL;
  try {
    const portal = parsePortal(text);
    exportPortal(portal);
    return portal;
  } catch (error) {
    throw invalid(ref, error instanceof BlockhaulError ? error.message : String(error));
  }
}

function invalid(ref: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", {
    volume: ref,
    message,
    hint: "the form is lvm:VG/LV, with ?export=iscsi&target=lio&portal=127.0.0.1 to open it over iSCSI",
  });
}
