import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** What takes more than a minute in a guest: the conformance suite, LVM, migrations, power cuts: `npm run test:long`. */
const longScenarios = [
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

const inGuests = {
  globalSetup: ["test/support/guest-setup.ts"],
  // A guest for each processor, after the others: vitest wants a group of its own for another number of workers.
  maxWorkers: availableParallelism(),
  testTimeout: 120_000,
  sequence: { groupOrder: 1 },
};

/**
 * unit: everything that needs no other machine. e2e: a real Ceph, `inject("cephConf")`, started only when one
 * of these tests is to run. guest: iSCSI, LVM and multipath, in a User-Mode-Linux guest. package: the packed and
 * installed package; wants `npm run build:prebuild` first.
 */
export default defineConfig({
  resolve: {
    // Tests see the sources under the package's own name; the longer name first.
    alias: [
      { find: /^blockhaul\/driver-suite$/, replacement: here("test/driver-suite/index.ts") },
      { find: /^blockhaul$/, replacement: here("src/index.ts") },
    ],
  },
  test: {
    pool: "forks",
    execArgv: ["--expose-gc"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/guest/**", "test/package/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/support/ceph-setup.ts"],
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "guest",
          include: ["test/guest/**/*.test.ts"],
          exclude: longScenarios,
          ...inGuests,
        },
      },
      {
        extends: true,
        test: { name: "guest-long", include: longScenarios, ...inGuests },
      },
      {
        extends: true,
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          testTimeout: 300_000,
        },
      },
    ],
  },
});
