/** The grammar of lvm refs: `lvm:VG/LV`. */
import { BlockhaulError } from "../errors.js";
import { faultOfGroupName, faultOfVolumeName } from "../lvm/names.js";

export interface LvmLocation {
  readonly vg: string;
  readonly lv: string;
}

/**
 * @throws BlockhaulError ERR_INVALID_REF
 */
export function parseLvmRef(ref: string): LvmLocation {
  if (!ref.startsWith("lvm:")) throw invalid(ref, "does not begin with lvm:");
  const [vg = "", lv, ...further] = ref.slice(4).split("/");
  if (lv === undefined) throw invalid(ref, "names no volume of a volume group");
  if (further.length > 0) throw invalid(ref, "has more than VG/LV in its path");
  const fault = faultOfGroupName(vg) ?? faultOfVolumeName(vg, lv);
  if (fault !== undefined) throw invalid(ref, fault);
  return { vg, lv };
}

/** The ref that `parseLvmRef` reads as this location. */
export function formatLvmRef({ vg, lv }: LvmLocation): string {
  return `lvm:${vg}/${lv}`;
}

function invalid(ref: string, message: string): BlockhaulError {
  return new BlockhaulError("ERR_INVALID_REF", {
    volume: ref,
    message,
    hint: "the form is lvm:VG/LV",
  });
}
