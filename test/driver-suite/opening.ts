import assert from "node:assert/strict";

import { BlockhaulError, resolveRef } from "blockhaul";

import { assertRejects, readRange, type Suite, using } from "./suite.js";

/** Refs, what a volume says of itself, missing and new volumes. */
export function testOpening(suite: Suite): void {
  const { driver, withRef } = suite;
  const { describe, it } = suite.test;

  describe("refs", () => {
    it(
      "belong to the driver",
      withRef(async (ref) => {
        assert.equal((await resolveRef(ref)).driver.name, driver.name);
      }),
    );

    for (const ref of suite.malformedRefs) {
      it(`refuses ${JSON.stringify(ref)}`, async () => {
        assert.throws(
          () => driver.parseRef(ref),
          (error) => error instanceof BlockhaulError && error.code === "ERR_INVALID_REF",
        );
      });
    }

    if (driver.formatRef !== undefined) {
      it(
        "are formatted such that they are read the same again",
        withRef(async (ref) => {
          const { location } = await resolveRef(ref);
          const formatted = driver.formatRef?.(location) ?? "";
          assert.deepEqual(driver.parseRef(formatted), location);
        }),
      );
    }
  });

  describe("opening", () => {
    it(
      "gives a volume that knows what it is",
      withRef((ref) =>
        using(ref, {}, async ({ info, size }) => {
          assert.equal(size, suite.size);
          assert.equal(info.size, suite.size);
          assert.equal(info.driver, driver.name);
          assert.equal(info.ref, ref);
          assert.notEqual(info.identity, "");
          assert.ok(Number.isSafeInteger(info.blockSize) && info.blockSize >= 1, "block size");
          assert.ok(
            Number.isSafeInteger(info.preferredSize) && info.preferredSize >= 0,
            "preferred",
          );
          assert.ok(["proven-zero", "unknown"].includes(info.zeroState), "zero state");
          assert.equal(info.readOnly, true);
        }),
      ),
    );

    it(
      "finds the same identity again",
      withRef(async (ref) => {
        const [first, second] = [await identityOf(ref), await identityOf(ref)];
        assert.equal(first, second);
      }),
    );

    it(
      "finds another identity behind another ref",
      withRef(async (ref) => {
        const other = await suite.provide(suite.size);
        try {
          if (other.ref !== ref)
            assert.notEqual(await identityOf(ref), await identityOf(other.ref));
        } finally {
          await other.remove?.();
        }
      }),
    );

    if (suite.absent !== undefined) {
      it("of a volume that does not exist fails with ERR_NOT_FOUND", () =>
        withAbsent(suite, async (ref) => {
          await assertRejects(() => identityOf(ref), "ERR_NOT_FOUND");
        }));
    }
    if (suite.absent !== undefined && driver.supports.create !== false) testCreation(suite);
  });
}

function testCreation(suite: Suite): void {
  const { it } = suite.test;
  const create = { size: suite.size };

  it("creates a missing volume, which reads as zero if it says so", () =>
    withAbsent(suite, (ref) =>
      using(ref, { mode: "write", create }, async (volume) => {
        assert.equal(volume.size, suite.size);
        assert.equal(volume.info.readOnly, false);
        if (volume.info.zeroState !== "proven-zero") return;
        assert.ok((await readRange(volume)).every((byte) => byte === 0));
      }),
    ));

  it("creates nothing in mode read", () =>
    withAbsent(suite, async (ref) => {
      await assertRejects(() => using(ref, { create }, async () => {}), "ERR_INVALID_ARGUMENT");
      await assertRejects(() => identityOf(ref), "ERR_NOT_FOUND");
    }));

  it("opens one that exists as it is, and never takes it for zero", () =>
    withAbsent(suite, async (ref) => {
      await using(ref, { mode: "write", create }, async (volume) => {
        await volume.write(Buffer.from("kept"), { position: 100 });
      });
      const larger = { size: suite.sizeFor(suite.size + 1) };
      await using(ref, { mode: "write", create: larger }, async (volume) => {
        assert.equal(volume.size, suite.size);
        assert.equal(volume.info.zeroState, "unknown");
        assert.equal((await readRange(volume, 100, 4)).toString(), "kept");
      });
    }));

  it("refuses one that exists where the creation is exclusive", () =>
    withAbsent(suite, async (ref) => {
      const open = () =>
        using(ref, { mode: "write", create: { ...create, exclusive: true } }, async () => {});
      await open();
      await assertRejects(open, "ERR_EXISTS");
    }));
}

function identityOf(ref: string): Promise<string> {
  return using(ref, {}, async (volume) => volume.info.identity);
}

async function withAbsent(suite: Suite, body: (ref: string) => Promise<void>): Promise<void> {
  const absent = await suite.absent?.();
  assert.ok(absent !== undefined);
  try {
    await body(absent.ref);
  } finally {
    await absent.remove?.();
  }
}
