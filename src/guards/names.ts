/** The guards that a caller can overrule, each by its own name: there is no word for all of them. */
export const GUARDS = {
  mounted: {
    side: "target",
    code: "ERR_IN_USE",
    hint: "unmount it (`findmnt` and `swapon --show` show where), or write to it all the same: --allow-mounted",
  },
  held: {
    side: "target",
    code: "ERR_IN_USE",
    hint: "end what holds it (`lsblk` and `fuser -v` show it), or write to it all the same: --allow-held",
  },
  "root-disk": {
    side: "target",
    code: "ERR_IN_USE",
    hint: "`lsblk` shows what lies on which disk; to write there all the same: --allow-root-disk",
  },
  watched: {
    side: "target",
    code: "ERR_IN_USE",
    hint: "close it there (`rbd status` shows who watches it; one that was killed is gone after half a minute), or write to it all the same: --allow-watched",
  },
  signature: {
    side: "target",
    code: "ERR_NOT_EMPTY",
    hint: "look at it with `wipefs` or `blkid -p`; to overwrite it: --allow-signature",
  },
  "live-source": {
    side: "source",
    code: "ERR_LIVE_SOURCE",
    hint: "copy a snapshot, or end what may write to it (`lsblk` and `fuser -v` show it); to copy it all the same: --allow-live-source",
  },
} as const;

export type GuardName = keyof typeof GUARDS;

export const GUARD_NAMES = Object.keys(GUARDS) as readonly GuardName[];
