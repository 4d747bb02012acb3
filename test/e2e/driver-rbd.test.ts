/** The conformance suite on real images: fresh ones, striped ones, and clones with a parent. */
import { openVolume } from "blockhaul";
import { testDriver } from "blockhaul/driver-suite";
import { afterAll, beforeAll, describe, inject, it } from "vitest";

import { rbdDriver } from "../../src/drivers/rbd.js";
import { RbdPool } from "../support/rbd-pool.js";

let pool: RbdPool;
let count = 0;

beforeAll(async () => {
  pool = await RbdPool.create(inject("cephConf"), "suite");
});
afterAll(() => pool?.[Symbol.asyncDispose]());

function newName(): string {
  count += 1;
  return `image-${count}`;
}

/** The pool goes at the end, with all that is in it. */
const absent = () => ({ ref: pool.ref(newName()) });

/** Images of backends, too: asked for once the pool is there. */
const backend = () => ({ pool: pool.name, conf: pool.conf });

const malformedRefs = [
  "rbd:",
  "rbd:a/",
  "rbd:a/b/c/d",
  "rbd:a@",
  "rbd:a:key=x",
  "rbd:a:id",
  "file:a",
];

testDriver({
  test: { describe, it },
  driver: rbdDriver,
  provide: async (size) => {
    const name = newName();
    await pool.rbd("create", "--size", `${size}B`, name);
    return { ref: pool.ref(name) };
  },
  absent,
  backend,
  malformedRefs,
});

testDriver({
  test: { describe, it },
  driver: rbdDriver,
  label: "rbd, small objects and stripes",
  provide: async (size) => {
    const name = newName();
    const layout = ["--object-size", "64K", "--stripe-unit", "16K", "--stripe-count", "3"];
    await pool.rbd("create", "--size", `${size}B`, ...layout, name);
    return { ref: pool.ref(name) };
  },
  malformedRefs,
});

testDriver({
  test: { describe, it },
  driver: rbdDriver,
  label: "rbd, a clone with a parent",
  provide: async (size) => {
    const [parent, clone] = [newName(), newName()];
    await pool.rbd("create", "--size", `${size}B`, parent);
    const volume = await openVolume(pool.ref(parent), { mode: "write" });
    await volume.write(Buffer.alloc(1_000_000, 0x5a), { position: 300_001 });
    await volume.close();
    await pool.rbd("snap", "create", "--no-progress", `${parent}@base`);
    await pool.rbd("snap", "protect", `${parent}@base`);
    await pool.rbd("clone", `${pool.name}/${parent}@base`, `${pool.name}/${clone}`);
    return { ref: pool.ref(clone) };
  },
  malformedRefs,
});
