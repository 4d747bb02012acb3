import * as v from "valibot";

import type { Portal } from "../connectors/connection.js";
import { faultOfChapUser } from "../connectors/iscsi/chap.js";
import { faultOfTargetName, parsePortal, portalKey, quoted } from "../connectors/iscsi/names.js";
import { faultOfTimeout, TIMEOUT_NAMES, type TimeoutName } from "../connectors/iscsi/timeouts.js";
import { toBlockhaulError } from "../errors.js";

const portal = v.pipe(
  v.string(),
  v.rawTransform<string, Portal>(({ dataset, addIssue, NEVER }) => {
    try {
      return parsePortal(dataset.value);
    } catch (error) {
      // Whoever writes a secret before the host is not to find it in a message.
      const words = toBlockhaulError(error).message.replace(quoted(dataset.value), "");
      addIssue({ message: words.replace(/\s+/g, " ") });
      return NEVER;
    }
  }),
);

const path = v.pipe(v.string(), v.startsWith("/", "must be an absolute path"));
const user = checked(faultOfChapUser);

const chap = v.pipe(
  v.strictObject({
    user,
    secretFile: v.optional(path),
    targetUser: v.optional(user),
    targetSecretFile: v.optional(path),
  }),
  v.check(
    ({ targetUser, targetSecretFile }) =>
      targetUser !== undefined || targetSecretFile === undefined,
    "has a targetSecretFile, but no targetUser",
  ),
);

const timeouts = v.strictObject(
  Object.fromEntries(TIMEOUT_NAMES.map((name) => [name, optionalTimeout(name)])) as Record<
    TimeoutName,
    ReturnType<typeof optionalTimeout>
  >,
);

/** What a backend of an iSCSI target, or of a portal with several, may say. */
export const iscsiSettings = v.strictObject({
  portals: v.pipe(
    v.array(portal),
    v.minLength(1, "has no portal"),
    v.check(
      (portals) => new Set(portals.map(portalKey)).size === portals.length,
      "has a portal twice",
    ),
  ),
  iqn: v.optional(checked(faultOfTargetName)),
  chap: v.optional(chap),
  timeouts: v.optional(timeouts),
});

function checked(faultOf: (text: string) => string | undefined) {
  return v.pipe(
    v.string(),
    v.rawCheck(({ dataset, addIssue }) => {
      const fault = dataset.typed ? faultOf(dataset.value) : undefined;
      if (fault !== undefined) addIssue({ message: fault });
    }),
  );
}

function timeout(name: TimeoutName) {
  return v.pipe(
    v.number(),
    v.rawCheck(({ dataset, addIssue }) => {
      const fault = dataset.typed ? faultOfTimeout(name, dataset.value) : undefined;
      if (fault !== undefined) addIssue({ message: fault });
    }),
  );
}

function optionalTimeout(name: TimeoutName) {
  return v.optional(timeout(name));
}
