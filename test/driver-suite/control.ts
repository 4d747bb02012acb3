import assert from "node:assert/strict";

import {
  createSnapshot,
  deleteSnapshot,
  deleteVolume,
  listSnapshots,
  renameVolume,
  resizeVolume,
  resolveRef,
} from "blockhaul";

import { assertRejects, assertSameBytes, readRange, type Suite, using } from "./suite.js";
import { fill } from "./writing.js";

const MEBI = 1024 ** 2;

/** What is done with a volume beside opening it, each part as far as `supports` promises it. */
export function testControlPath(suite: Suite): void {
  const { write, resize, rename, delete: deletes, snapshots } = suite.driver.supports;
  const { describe } = suite.test;
  // None without a test in it: some runners take that for a mistake.
  if (resize && write) describe("resizing", () => testResizing(suite));
  if (rename && write) describe("renaming", () => testRenaming(suite));
  if (deletes) describe("deleting", () => testDeleting(suite));
  if (snapshots && write) describe("snapshots", () => testSnapshots(suite));
}

function testResizing({ test: { it }, size, sizeFor, withRef }: Suite): void {
  it(
    "makes a volume larger, with its bytes and zeros behind them",
    withRef(async (ref) => {
      const before = await using(ref, { mode: "write" }, (volume) => fill(volume, "before"));
      const larger = sizeFor(size + MEBI);
      await resizeVolume(ref, larger);
      await using(ref, {}, async (volume) => {
        assert.equal(volume.size, larger);
        assertSameBytes(await readRange(volume, 0, size), before, "what it held");
        const added = await readRange(volume, size, larger - size);
        assertSameBytes(added, Buffer.alloc(larger - size), "what was added");
      });
    }),
  );

  it(
    "makes none smaller",
    withRef(async (ref) => {
      const before = await using(ref, { mode: "write" }, (volume) => fill(volume, "before"));
      await assertRejects(() => resizeVolume(ref, sizeFor(size - MEBI)), "ERR_INVALID_ARGUMENT");
      await resizeVolume(ref, size);
      await using(ref, {}, async (volume) => {
        assertSameBytes(await readRange(volume), before, "what it held");
      });
    }),
  );
}

function testRenaming(suite: Suite): void {
  const { it } = suite.test;
  const { driver, withRef } = suite;
  const nameOf = async (ref: string) => {
    const { location } = await resolveRef(ref);
    const name = driver.nameOf?.(location);
    assert.ok(name, "a driver that renames says what a volume is called: nameOf");
    return name;
  };

  it(
    "renames a volume, with its bytes, and back",
    withRef(async (ref) => {
      const before = await using(ref, { mode: "write" }, (volume) => fill(volume, "before"));
      const name = await nameOf(ref);
      const renamed = await renameVolume(ref, `${name}-renamed`);
      try {
        assert.equal(await nameOf(renamed), `${name}-renamed`);
        await assertRejects(() => using(ref, {}, async () => {}), "ERR_NOT_FOUND");
        await using(renamed, {}, async (volume) => {
          assertSameBytes(await readRange(volume), before, "what it held");
        });
      } finally {
        await renameVolume(renamed, name);
      }
      // To the name that it has: that is nothing to do, or refused, and takes nothing away.
      await renameVolume(ref, name).catch((error: { code?: string }) => {
        assert.equal(error.code, "ERR_EXISTS");
      });
      await using(ref, {}, async (volume) => {
        assertSameBytes(await readRange(volume), before, "what it held");
      });
    }),
  );

  it(
    "renames none to a name that another has",
    withRef(async (ref) => {
      const other = await suite.provide(suite.size);
      try {
        const [mine, theirs] = [ref, other.ref];
        const write = { mode: "write" } as const;
        const before = await using(mine, write, (volume) => fill(volume, "mine"));
        const others = await using(theirs, write, (volume) => fill(volume, "theirs"));
        const taken = await nameOf(theirs);
        await assertRejects(() => renameVolume(mine, taken), "ERR_EXISTS");
        await using(mine, {}, async (volume) => {
          assertSameBytes(await readRange(volume), before, "the one");
        });
        await using(theirs, {}, async (volume) => {
          assertSameBytes(await readRange(volume), others, "the other");
        });
      } finally {
        await other.remove?.();
      }
    }),
  );
}

function testDeleting(suite: Suite): void {
  const { it } = suite.test;
  it(
    "deletes a volume, and says when there is none",
    suite.withRef(async (ref) => {
      const other = await suite.provide(suite.size);
      try {
        await deleteVolume(ref);
        await assertRejects(() => using(ref, {}, async () => {}), "ERR_NOT_FOUND");
        await assertRejects(() => deleteVolume(ref), "ERR_NOT_FOUND");
        await using(other.ref, {}, async ({ size }) => assert.equal(size, suite.size));
      } finally {
        await other.remove?.();
      }
    }),
  );
}

function testSnapshots({ test: { it }, driver, size, withRef }: Suite): void {
  const names = ["suite-1", "suite-2"] as const;

  it(
    "takes snapshots that stay as they are, and lists them, the oldest first",
    withRef(async (ref) => {
      const contents: Buffer[] = [];
      const snapshots: string[] = [];
      try {
        for (const name of names) {
          contents.push(await using(ref, { mode: "write" }, (volume) => fill(volume, name)));
          snapshots.push(await createSnapshot(ref, { name }));
        }
        const now = await using(ref, { mode: "write" }, (volume) => fill(volume, "now"));
        if (driver.listSnapshots !== undefined) {
          const listed = await listSnapshots(ref);
          assert.deepEqual(
            listed.map((one) => [one.name, one.ref, one.size]),
            names.map((name, index) => [name, snapshots[index], size]),
          );
        }
        for (const [index, snapshot] of snapshots.entries()) {
          await using(snapshot, {}, async (volume) => {
            assertSameBytes(await readRange(volume), contents[index] ?? now, `snapshot ${index}`);
          });
        }
        await using(ref, {}, async (volume) => {
          assertSameBytes(await readRange(volume), now, "the volume");
        });
      } finally {
        for (const snapshot of snapshots) await deleteSnapshot(snapshot);
      }
      for (const snapshot of snapshots) {
        await assertRejects(() => deleteSnapshot(snapshot), "ERR_NOT_FOUND");
      }
      if (driver.listSnapshots !== undefined) assert.deepEqual(await listSnapshots(ref), []);
    }),
  );

  it(
    "takes no volume for a snapshot, and none away with its volume",
    withRef(async (ref) => {
      const [name] = names;
      const before = await using(ref, { mode: "write" }, (volume) => fill(volume, "before"));
      await assertRejects(() => deleteSnapshot(ref), "ERR_INVALID_ARGUMENT");
      const snapshot = await createSnapshot(ref, { name });
      try {
        await assertRejects(() => createSnapshot(ref, { name }), "ERR_EXISTS");
        // Some keep the volume, others do without it.
        if (driver.supports.delete) {
          await deleteVolume(ref).catch((error: { code?: string }) => {
            assert.equal(error.code, "ERR_IN_USE");
          });
        }
        await using(snapshot, {}, async (volume) => {
          assertSameBytes(await readRange(volume), before, "the snapshot");
        });
      } finally {
        await deleteSnapshot(snapshot);
      }
    }),
  );
}
