// What takes more than half a minute in a guest. `npm run test:long` runs a part of them each week, every sixth of this
// list: what takes longest stands apart. `npm test` has one scenario, which copies each way.

export const longScenarios = [
  ...["faults-mapper", "lvm", "lvm-attached", "lvm-control", "failures-refusals", "migrate-kills"],
  ...[
    "migrate-lvm",
    "migrate-rbd",
    "multipath",
    "power-cuts-ext4",
    "ends-changed",
    "power-cuts-xfs",
  ],
  ...[
    "failures-in-flight",
    "failures-kills",
    "failures-races",
    "iscsi-migrate",
    "migrate-iscsi",
    "iscsi-luns",
  ],
  ...["iscsi-in-use", "exporters", "guards", "lvm-states", "discovery", "lvm-exported"],
  "iscsi",
].map((name) => `test/guest/${name}.test.ts`);
