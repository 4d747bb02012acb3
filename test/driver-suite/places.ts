import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import {
  type Backend,
  backendStats,
  createVolume,
  deleteVolume,
  listVolumes,
  registerBackend,
  resolveRef,
} from "blockhaul";

import { assertRejects, assertSameBytes, readRange, type Suite, using } from "./suite.js";
import { fill } from "./writing.js";

/** What is asked of the place where volumes lie side by side: of a backend. */
export function testPlaces(suite: Suite): void {
  const { supports } = suite.driver;
  if (suite.backend === undefined) return;
  const { describe, it } = suite.test;
  const inPlace = placeOf(suite);

  describe("a backend", () => {
    it("has no volumes of names that are paths", () =>
      inPlace(async ({ name }) => {
        await assertRejects(() => resolveRef(`${name}:../x`), "ERR_INVALID_REF");
      }));

    if (supports.create === false || !supports.delete) return;
    for (const provisioning of supports.provisioning ?? []) {
      it(`makes ${provisioning} volumes`, () =>
        inPlace(async ({ newRef }) => {
          const ref = newRef();
          assert.equal(await createVolume(ref, { size: suite.size, provisioning }), suite.size);
          await assertRejects(
            () => createVolume(ref, { size: suite.size, provisioning }),
            "ERR_EXISTS",
          );
          await using(ref, {}, async ({ size }) => assert.equal(size, suite.size));
        }));
    }
    if (supports.list) testListing(suite);
    if (supports.stats) testStats(suite);
    if (supports.shortWay) testShortWay(suite);
  });
}

function testListing(suite: Suite): void {
  suite.test.it("lists a new volume, and none that is gone", () =>
    placeOf(suite)(async ({ name, newRef }) => {
      const before = await listVolumes(name);
      const refs = [newRef(), newRef()].sort();
      for (const ref of refs) await createVolume(ref, { size: suite.size });
      const listed = await listVolumes(name);
      const isNew = ({ ref }: { ref: string }) => !before.some((one) => one.ref === ref);
      assert.deepEqual(
        listed.filter(isNew).map(({ ref, size }) => ({ ref, size })),
        refs.map((ref) => ({ ref, size: suite.size })),
      );
      for (const { allocated = 0 } of listed) {
        assert.ok(Number.isSafeInteger(allocated) && allocated >= 0, `allocated: ${allocated}`);
      }
      for (const ref of refs) await deleteVolume(ref);
      assert.deepEqual((await listVolumes(name)).filter(isNew), []);
    }),
  );
}

function testStats(suite: Suite): void {
  suite.test.it("says how much room it has", () =>
    placeOf(suite)(async ({ name, newRef }) => {
      const { capacity, free, granularity } = await backendStats(name);
      for (const count of [capacity, free, granularity]) {
        assert.ok(Number.isSafeInteger(count) && count >= 0, `${count} is no number of bytes`);
      }
      assert.ok(free <= capacity, `${free} of ${capacity} bytes are free`);
      assert.ok(granularity >= 1, "granularity");
      const wanted = suite.size - 1;
      const size = await createVolume(newRef(), { size: wanted });
      assert.equal(size, Math.ceil(wanted / granularity) * granularity);
    }),
  );
}

function testShortWay(suite: Suite): void {
  const { it } = suite.test;
  const { driver, size } = suite;
  const inPlace = placeOf(suite);
  const wayBetween = async (place: TestPlace, source: string, target: string) => {
    const [from, to] = await Promise.all([resolveRef(source), resolveRef(target)]);
    const options = { size, ...place.backend.createOptions(undefined) };
    return driver.shortWay?.(from.location, to.location, options);
  };

  it("has a short way that gives the same bytes, and another volume", () =>
    inPlace(async (place) => {
      const [source, target] = [place.newRef(), place.newRef()];
      await createVolume(source, { size });
      const before = await using(source, { mode: "write" }, (volume) => fill(volume, "source"));
      const way = await wayBetween(place, source, target);
      await assertRejects(() => using(target, {}, async () => {}), "ERR_NOT_FOUND");
      if (way === undefined) return;
      assert.notEqual(way.method, "");
      let done = 0;
      await way.run({
        onProgress: (bytes) => {
          done = bytes;
        },
      });
      assert.equal(done, size);
      await using(target, { mode: "write" }, async (volume) => {
        assertSameBytes(await readRange(volume), before, "the copy");
        await fill(volume, "target");
      });
      await using(source, {}, async (volume) => {
        assertSameBytes(await readRange(volume), before, "the source");
      });
      if (driver.supports.list) {
        const listed = (await listVolumes(place.name)).map(({ ref }) => ref);
        assert.ok(listed.includes(target), "the copy is listed");
      }
      await deleteVolume(source);
      await using(target, {}, async (volume) => assert.equal(volume.size, size));
    }));

  it("takes no short way over what is there, nor when nobody waits any more", () =>
    inPlace(async (place) => {
      const [source, target] = [place.newRef(), place.newRef()];
      await createVolume(source, { size });
      const way = await wayBetween(place, source, target);
      if (way === undefined) return;
      const stopped = AbortSignal.abort(new Error("enough"));
      await assertRejects(() => way.run({ signal: stopped }), "ERR_CANCELLED");
      await assertRejects(() => using(target, {}, async () => {}), "ERR_NOT_FOUND");
      await createVolume(target, { size });
      const before = await using(target, { mode: "write" }, (volume) => fill(volume, "target"));
      await way.run({}).then(
        () => assert.fail("it should have failed"),
        () => {},
      );
      await using(target, {}, async (volume) => {
        assertSameBytes(await readRange(volume), before, "what was there");
      });
    }));
}

interface TestPlace {
  readonly name: string;
  readonly backend: Backend;
  /** The ref of a volume that is not there yet; what is there at the test's end is deleted. */
  newRef(): string;
}

/** Runs tests with a backend of the suite's own. */
function placeOf(suite: Suite): (body: (place: TestPlace) => Promise<void>) => Promise<void> {
  return async (body) => {
    const backend = await backendOf(suite);
    const { name } = backend;
    const refs: string[] = [];
    const newRef = () => {
      const ref = `${name}:suite-${randomUUID()}`;
      refs.push(ref);
      return ref;
    };
    try {
      await body({ name, backend, newRef });
    } finally {
      for (const ref of refs) {
        await deleteVolume(ref).catch((error: { code?: string }) => {
          assert.equal(error.code, "ERR_NOT_FOUND");
        });
      }
    }
  };
}

const backends = new WeakMap<Suite, Promise<Backend>>();

/** Registered at its first use: what it is made of may not be there before. */
function backendOf(suite: Suite): Promise<Backend> {
  const known = backends.get(suite);
  if (known !== undefined) return known;
  const made = (async () => {
    const settings = await suite.backend?.();
    return registerBackend(`suite-${randomUUID()}`, { ...settings, driver: suite.driver.name });
  })();
  backends.set(suite, made);
  return made;
}
