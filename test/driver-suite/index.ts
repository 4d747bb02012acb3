/**
 * The conformance suite for drivers. It runs under any test runner with `describe` and `it`, and asks
 * of a driver what its `supports` promises. docs/DRIVERS.md shows how to use it.
 */
import { testControlPath } from "./control.js";
import { testCopies } from "./copies.js";
import { testExtents } from "./extents.js";
import { testLifecycle } from "./lifecycle.js";
import { testOpening } from "./opening.js";
import { testPlaces } from "./places.js";
import { testReading } from "./reading.js";
import { prepare, type SuiteOptions } from "./suite.js";
import { testWriting } from "./writing.js";

export type { SuiteOptions, SuiteVolume, TestFramework } from "./suite.js";

/** Declares the tests of one driver. */
export function testDriver(options: SuiteOptions): void {
  const suite = prepare(options);
  suite.test.describe(`driver ${options.label ?? options.driver.name}`, () => {
    testOpening(suite);
    testReading(suite);
    testExtents(suite);
    testLifecycle(suite);
    if (options.driver.supports.write) testWriting(suite);
    testCopies(suite);
    testControlPath(suite);
    testPlaces(suite);
  });
}
