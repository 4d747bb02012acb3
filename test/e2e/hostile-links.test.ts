/** Root's copies and migrations in folders where another user can put links and files. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";

import { blockhaul } from "../support/command.js";
import { describeWhere, needsRoot } from "../support/needs.js";
import { Stranger } from "../support/stranger.js";

const SHADOW = "root:$6$not-for-everybody:20000::::::\n";
const SIZE = 64 * 1024;

describeWhere(needsRoot, "a stranger who puts links where root copies", () => {
  let stranger: Stranger;
  /** As /etc/shadow: only root may read or write it. */
  let shadow = "";
  let config = "";
  beforeAll(() => {
    stranger = new Stranger();
    stranger.write("disk.img", "x".repeat(SIZE));
    config = stranger.write(
      "roots.yaml",
      `backends:\n  images: {driver: file, directory: ${stranger.home}}\n  own: {driver: file, directory: ${stranger.path("own")}}\n`,
    );
    mkdirSync(stranger.path("own"));
  });
  beforeEach(() => {
    stranger.does("rm -rf ./* .??*");
    rmSync(stranger.path("sticky"), { recursive: true, force: true });
    mkdirSync(stranger.path("sticky"));
    chmodSync(stranger.path("sticky"), 0o1777);
    shadow = stranger.write("shadow", SHADOW);
    chmodSync(shadow, 0o600);
  });
  afterAll(() => stranger[Symbol.dispose]());

  async function isRefused(args: readonly string[], status: number, why: RegExp): Promise<void> {
    const env = { BLOCKHAUL_CONFIG: config };
    const ended = await blockhaul(args, { env });
    expect(ended.stderr).toMatch(why);
    expect({ args, status: ended.status }).toEqual({ args, status });
    expect(readFileSync(shadow, "utf8")).toBe(SHADOW);
    expect(statSync(shadow)).toMatchObject({ uid: 0, mode: 0o100600 });
  }

  it("has none followed in a backend's folder: not to be read, written, resized or removed", async () => {
    stranger.does('ln -s "$1" x; ln -s "$1.none" y', [shadow]);
    const disk = stranger.path("disk.img");
    const why = /is a symbolic link/;
    await isRefused(["copy", disk, "images:x"], 2, why);
    await isRefused(["copy", "--create", disk, "images:y"], 2, why);
    await isRefused(["copy", "images:x", stranger.path("stolen")], 2, why);
    await isRefused(["info", "images:x"], 2, why);
    await isRefused(["digest", "images:x"], 2, why);
    await isRefused(["migrate", "images:x", "own:stolen"], 2, why);
    await isRefused(["migrate", "--delete-source", "--rename", "images:x", "own:stolen"], 2, why);
    await isRefused(["migrate", "--dry-run", disk, "images:x"], 2, why);
    for (const name of ["stolen", "own/stolen", "shadow.none"]) {
      expect(existsSync(stranger.path(name))).toBe(false);
    }
  });

  it("has none of his followed on a path that root names, in /tmp or at home", async () => {
    const disk = stranger.path("disk.img");
    for (const folder of ["sticky", "home"]) {
      stranger.does('ln -s "$1" x; ln -s "$2" d', [shadow, stranger.folder], stranger.path(folder));
      const named = stranger.path(folder);
      const why = /a link that belongs to another user \(65534\), which is not followed/;
      await isRefused(["copy", disk, `${named}/x`], 1, why);
      await isRefused(["copy", `${named}/x`, stranger.path("stolen")], 1, why);
      await isRefused(["digest", `${named}/x`], 1, why);
      const way = /through the link d, which belongs to another user/;
      await isRefused(["copy", disk, `${named}/d/shadow`], 1, way);
      await isRefused(["copy", disk, `${named}/d/new.img`], 1, way);
      expect(existsSync(stranger.path("new.img"))).toBe(false);
      expect(existsSync(stranger.path("stolen"))).toBe(false);
    }
  });

  it("gets nothing of root's by a file that is there already, in /tmp", async () => {
    stranger.does("touch new.img; chmod 666 new.img", [], stranger.path("sticky"));
    const planted = stranger.path("sticky/new.img");
    await isRefused(
      ["copy", stranger.path("disk.img"), planted],
      1,
      /is another user's \(65534\), in a folder that everybody can write to/,
    );
    expect(statSync(planted).size).toBe(0);
  });

  it("may be served all the same: his image, by its own path", async () => {
    chownSync(stranger.path("own"), 0, 0);
    stranger.does("truncate -s 65536 his.img");
    const his = `${stranger.home}/his.img`;
    const copy = await blockhaul([
      "copy",
      "-q",
      "--allow-live-source",
      his,
      stranger.path("own/his"),
    ]);
    expect(copy).toMatchObject({ status: 0, stderr: "" });
    const back = await blockhaul(["copy", "-q", stranger.path("disk.img"), his]);
    expect(back).toMatchObject({ status: 0, stderr: "" });
  });
});
