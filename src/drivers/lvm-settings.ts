import * as v from "valibot";

import { faultOfGroupName, faultOfVolumeName } from "../lvm/names.js";

/** What a backend of a volume group may say. */
export const lvmSettings = v.strictObject({
  vg: nameThat(faultOfGroupName),
  thin: v.optional(nameThat((text) => faultOfVolumeName("", text))),
});

function nameThat(faultOf: (text: string) => string | undefined) {
  return v.pipe(
    v.string(),
    v.check(
      (text) => faultOf(text) === undefined,
      ({ input }) => faultOf(input) ?? "",
    ),
  );
}
