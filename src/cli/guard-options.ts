import type { GuardName } from "../index.js";
import type { OptionSpec, OptionValues } from "./options.js";

const heading = "What would be refused (each for itself, after a look at what --dry-run says)";

/** A flag for each guard; there is none for all of them. */
export const guardOptions = [
  {
    name: "allow-mounted",
    kind: "flag",
    heading,
    help: "write to a target that is mounted, or used as swap",
  },
  {
    name: "allow-held",
    kind: "flag",
    heading,
    help: "write to a target that LVM, device-mapper, md, a loop device or a process holds",
  },
  {
    name: "allow-root-disk",
    kind: "flag",
    heading,
    help: "write to a device on a disk that the running system lies on",
  },
  {
    name: "allow-watched",
    kind: "flag",
    heading,
    help: "write to an RBD image that another client has open",
  },
  {
    name: "allow-signature",
    kind: "flag",
    heading,
    help: "overwrite a file system, partition table, LUKS, LVM or RAID signature",
  },
  {
    name: "allow-live-source",
    kind: "flag",
    heading,
    help: "copy a source that somebody may write to meanwhile",
  },
] as const satisfies readonly OptionSpec[];

type GuardValues = OptionValues<typeof guardOptions>;

const FLAGS: Readonly<Record<GuardName, keyof GuardValues>> = {
  mounted: "allowMounted",
  held: "allowHeld",
  "root-disk": "allowRootDisk",
  watched: "allowWatched",
  signature: "allowSignature",
  "live-source": "allowLiveSource",
};

/** The guards whose flags were given. */
export function allowedGuards(options: GuardValues): GuardName[] {
  const names = Object.keys(FLAGS) as GuardName[];
  return names.filter((name) => options[FLAGS[name]] === true);
}
