import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

import { longScenarios } from "./test/guest/long.mjs";

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** A deadline is there for what hangs. A machine that is busy with other work takes several times as long. */
const generous = {
  testTimeout: 300_000,
  hookTimeout: 300_000,
};

/** What takes long begins first: else one processor idles while the other ends the last guest. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order = ["guest-long", "guest", "package", "e2e", "unit"];
    const rank = ({ project }: TestSpecification) => order.indexOf(project.name);
    const sorted = await super.sort(files);
    return sorted.toSorted((left, right) => rank(left) - rank(right));
  }
}

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
    // One more than there are processors: tests of deadlines and of clusters wait a lot.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    setupFiles: ["test/support/cost.ts"],
    ...generous,
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
        },
      },
      {
        extends: true,
        test: {
          name: "guest",
          include: ["test/guest/**/*.test.ts"],
          exclude: longScenarios,
          globalSetup: ["test/support/guest-setup.ts"],
        },
      },
      {
        extends: true,
        test: {
          name: "guest-long",
          include: longScenarios,
          globalSetup: ["test/support/guest-setup.ts"],
        },
      },
      {
        extends: true,
        // It compiles the whole addon.
        test: {
          name: "package",
          include: ["test/package/**/*.test.ts"],
          testTimeout: 1_800_000,
        },
      },
    ],
  },
});
