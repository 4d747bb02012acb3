// What takes more than a minute in a guest: the conformance suite, LVM, migrations, power cuts. `npm run test:long` runs
// a part of them each week, every fifth of this list: what takes longest stands apart.

export const longScenarios = [
  "faults-mapper",
  "lvm",
  "lvm-attached",
  "lvm-control",
  "lvm-exported",
  "migrate-kills",
  "migrate-lvm",
  "migrate-rbd",
  "multipath",
  "power-cuts-ext4",
  "power-cuts-xfs",
].map((name) => `test/guest/${name}.test.ts`);
