import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.js";
import { ConfigFiles, faultsOf } from "../../support/config-files.js";
import { itWhere, needsRoot } from "../../support/needs.js";

const files = new ConfigFiles();
afterAll(() => files[Symbol.dispose]());

const BEFORE = { ...process.env };
const FOLDER = process.cwd();
afterEach(() => {
  process.env = { ...BEFORE };
  process.chdir(FOLDER);
});

describe("a configuration", () => {
  it("makes backends of what it names", async () => {
    const config = await files.load(
      [
        "parallel: 4",
        "backends:",
        "  images: {driver: file, directory: /srv/images, limits: {parallel: 2, bandwidth: 200MiB}}",
        "  san1:",
        "    driver: iscsi",
        "    portals: [10.0.0.1]",
        "  more: {driver: file, directory: /a, limits: {bandwidth: 4096}}",
      ].join("\n"),
    );
    expect(config.parallel).toBe(4);
    expect([...config.backends.keys()]).toEqual(["images", "san1", "more"]);
    const images = config.backends.get("images");
    expect(images?.limits).toEqual({ parallel: 2, bandwidth: 200 * 1024 ** 2 });
    expect(images?.locate("a")).toEqual({ path: "/srv/images/a", noLinks: true });
    expect(config.backends.get("more")?.limits).toEqual({ bandwidth: 4096 });
    expect(config.origins).toContainEqual({
      path: ["backends", "san1", "portals", 0],
      value: "10.0.0.1",
      file: config.files[0]?.path,
      line: 6,
      column: 15,
    });
  });

  it.each([
    "",
    "# nothing\n",
    "backends:\n",
    "backends: {}\nparallel: 1",
    "backends:\n  a: &a {driver: file, directory: /x}\n  b: *a\n",
    // The last that has the name before the alias.
    "backends:\n  a: {driver: &x file, directory: &x /x}\n  b: {driver: file, directory: *x}\n",
  ])("may be %j", async (text) => {
    expect(await files.faultsOf(text)).toEqual([]);
  });

  it("with faults is refused with all of them, each with its place", async () => {
    const text = `paralel: 4
parallel: 0
backends:
  ceph-ssd: {driver: rdb, pool: vms, limits: {paralel: 2, bandwidth: 200XiB}}
  images:
    driver: file
    directry: /srv/images
    other: 1
  images: {driver: file, directory: images}
  file: {driver: file, directory: /srv}
  no: {driver: block}
  miss: {}
  empty:
  Bad: {driver: file, directory: [1]}
  text: yes
  san: {driver: iscsi, portals: [a, 1], chap: {user: me, usr: x}}
drivers: foo
x: !foo y
`;
    expect(await files.faultsOf(text)).toEqual([
      expect.stringMatching(/^1:1 there is no key "paralel" here/),
      expect.stringMatching(/^2:11 parallel: must be a whole number from 1 to/),
      expect.stringMatching(/^4:22 there is no driver "rdb", .*; did you mean rbd\?$/),
      '4:47 there is no key "paralel" here; did you mean parallel?',
      expect.stringMatching(/^4:70 bandwidth: must be a size/),
      "5:3 directory: is missing",
      '7:5 there is no key "directry" here; did you mean directory?',
      '8:5 there is no key "other" here; known are directory',
      "9:3 the key is there already",
      expect.stringMatching(/^10:3 a backend cannot be called file: the driver file has/),
      expect.stringMatching(/^11:16 the driver block has no places/),
      "12:3 driver: is missing",
      "13:3 driver: is missing",
      expect.stringMatching(/^14:3 a backend's name must be of lower-case letters/),
      "14:23 directory: must be a text, and is a list",
      '15:9 the backend "text": must be a map, and is a text',
      "16:37 portals.1: must be a text, and is a number",
      expect.stringMatching(/^16:58 there is no key "usr" here/),
      "17:10 drivers: must be a list, and is a text",
      '18:1 there is no key "x" here',
      "18:4 there is no such tag",
    ]);
  });

  it("names the files of several faults in one message, and the file of one", async () => {
    const file = files.write("one.yaml", "x: 1\n");
    await expect(loadConfig(file)).rejects.toMatchObject({
      message: expect.stringContaining(`${file}:1:1: there is no key "x" here`),
    });
    await expect(files.load("x: 1\ny: 2\n")).rejects.toMatchObject({
      message: expect.stringMatching(/has 2 faults: .*yaml:1:1: .*"x".*; .*yaml:2:1: .*"y"/),
    });
  });

  it.each([
    ["a: [1\nb: 2", /a bracket is not closed/],
    ["a: {b: 1", /a bracket is not closed/],
    ['a: "b', /a character is missing/],
    ["a: b: c", /./],
    ["\ta: 1", /./],
    ["a: *b", /no anchor before it/],
    ["a: 1\n---\nb: 1", /second document/],
    ["1: 2", /no key/],
    ["? [a]\n: b", /the key is no text/],
    ["- a", /the file: must be a map, and is a list/],
    ["text", /the file: must be a map, and is a text/],
    ["backends: [a]", /backends: must be a map/],
    ["backends: {a: &a {driver: file, directory: *a}}", /alias of itself/],
    [`a: ${"[".repeat(100)}${"]".repeat(100)}`, /nested too deeply/],
    [`a: ${"[".repeat(200_000)}`, /./],
    ["#".repeat(256 * 1024 + 1), /larger than 256 KiB/],
    [Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join("\n"), /too much in it/],
    [`a: [${"1,".repeat(100_000)}]`, /too much in it/],
    [`x: &x 1\n${"k: *x\n".repeat(30_000)}`, /there are more faults than these/],
    ["- [}\n".repeat(50_000), /there are more faults than these/],
    ["a: !!binary aGk=", /there is no such tag/],
  ])("%.40j is refused", async (text, words) => {
    expect((await files.faultsOf(text)).join("\n")).toMatch(words);
  });

  it("cannot make much of little by aliases", async () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let level = 1; level < 9; level += 1) {
      const item = `*a${level - 1}`;
      lines.push(`a${level}: &a${level} [${Array(10).fill(item).join(", ")}]`);
    }
    expect((await files.faultsOf(lines.join("\n"))).join("\n")).toMatch(/there is too much in it/);
  });

  it("of any text is either read or refused with ERR_CONFIG", async () => {
    const word = fc.constantFrom(
      ..."backends: drivers: parallel: limits: driver: file directory: /srv {driver: } { [ ] , - & * ! | > ' \" # % @ ? &a *a !!str !!map --- ... __proto__: constructor: 200MiB null ~ 1 0x1f .inf true <<:".split(
        " ",
      ),
      "\n",
      "\n  ",
      "\n    ",
      "\t",
      " ",
    );
    const text = fc.oneof(
      fc.array(word, { maxLength: 40 }).map((words) => words.join(" ")),
      fc.array(word, { maxLength: 40 }).map((words) => words.join("")),
      fc.string({ unit: "binary", maxLength: 200 }),
    );
    // faultsOf() throws what is no ERR_CONFIG.
    await fc.assert(
      fc.asyncProperty(text, async (yaml) => {
        await files.faultsOf(yaml, "any.yaml");
      }),
      { numRuns: 1500 },
    );
  });
});

describe("the files of a configuration", () => {
  const SECTION = (directory: string) => `{driver: file, directory: ${directory}}`;

  function setUp(): { here: string; own: string } {
    const here = path.join(files.folder, "here");
    mkdirSync(here, { recursive: true });
    process.chdir(here);
    process.env.XDG_CONFIG_HOME = path.join(files.folder, "xdg");
    delete process.env.BLOCKHAUL_CONFIG;
    return { here: "here/blockhaul.yaml", own: "xdg/blockhaul/blockhaul.yaml" };
  }

  it("are put together: the first that names a backend has it as a whole", async () => {
    const { here, own } = setUp();
    files.write(here, `backends:\n  a: ${SECTION("/first")}\n`);
    files.write(
      own,
      `parallel: 3\nbackends:\n  a: {driver: iscsi, portals: [x]}\n  b: ${SECTION("/b")}\n`,
    );
    const config = await loadConfig(undefined);
    expect(config.parallel).toBe(3);
    expect(config.backends.get("a")?.place).toEqual({ directory: "/first" });
    expect(config.settings).toEqual({
      parallel: 3,
      backends: {
        a: { driver: "file", directory: "/first" },
        b: { driver: "file", directory: "/b" },
      },
    });
    expect(config.origins.filter(({ path: [, name] }) => name === "a")).toHaveLength(2);
    expect(config.files.map(({ found }) => found).slice(0, 2)).toEqual([true, true]);
    expect(config.files.at(-1)?.path).toBe("/etc/blockhaul/blockhaul.yaml");
  });

  it("have their faults told together", async () => {
    const { here, own } = setUp();
    files.write(here, "x: 1\n");
    files.write(own, "y: 1\n");
    const faults = await faultsOf(loadConfig(undefined));
    expect(faults.map(({ file }) => path.relative(files.folder, file))).toEqual([here, own]);
  });

  it("are no others than the one that is named", async () => {
    const { here } = setUp();
    files.write(here, "x: 1\n");
    process.env.BLOCKHAUL_CONFIG = files.write("env.yaml", `backends: {e: ${SECTION("/e")}}`);
    expect([...(await loadConfig(undefined)).backends.keys()]).toEqual(["e"]);
    const named = files.write("named.yaml", `backends: {n: ${SECTION("/n")}}`);
    expect([...(await loadConfig(named)).backends.keys()]).toEqual(["n"]);
    expect(await faultsOf(loadConfig(path.join(files.folder, "none.yaml")))).toEqual([
      expect.objectContaining({ message: "there is no such file" }),
    ]);
  });

  it.each([0o646, 0o664])("that others can write to are refused: %o", async (mode) => {
    const open = files.write("open.yaml", "parallel: 1\n", mode);
    expect(await faultsOf(loadConfig(open))).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/^can be written to by others \(mode 06..\): chmod go-w/),
      }),
    ]);
    expect(await faultsOf(loadConfig(files.folder))).toHaveLength(1);
  });

  it("that lie in a folder which others can write to are refused", async () => {
    const named = files.write("lent/named.yaml", "parallel: 1\n");
    chmodSync(path.dirname(named), 0o1777);
    const faults = [
      expect.objectContaining({
        message: expect.stringMatching(/^lies in .*lent, which can be written to by others/),
      }),
    ];
    expect(await faultsOf(loadConfig(named))).toEqual(faults);
    const { here, own } = setUp();
    files.write(here, "parallel: 1\n");
    files.write(own, "parallel: 1\n");
    chmodSync(path.join(files.folder, "xdg"), 0o777);
    expect(await faultsOf(loadConfig(undefined))).toEqual([
      expect.objectContaining({ message: expect.stringContaining("xdg, which can be written") }),
    ]);
    chmodSync(path.join(files.folder, "xdg"), 0o755);
  });

  it("of a working folder that others can write to are passed over, which is said", async () => {
    const { here, own } = setUp();
    files.write(here, "drivers: [./planted.mjs]\n");
    files.write(own, "parallel: 5\n");
    chmodSync(path.join(files.folder, "here"), 0o1777);
    const told: unknown[] = [];
    const config = await loadConfig(undefined, (file) => told.push(file));
    expect(config.parallel).toBe(5);
    expect(config.files[0]).toEqual({
      path: path.join(files.folder, here),
      found: true,
      skipped: expect.stringMatching(/^lies in .*here, which can be written to by others/),
    });
    expect(told).toEqual([config.files[0]]);
    // Nobody is told of what is not there.
    rmSync(path.join(files.folder, here));
    await loadConfig(undefined, (file) => told.push(file));
    expect(told).toHaveLength(1);
    chmodSync(path.join(files.folder, "here"), 0o755);
  });

  it("of a working folder that was removed are none", async () => {
    setUp();
    const gone = path.join(files.folder, "gone");
    mkdirSync(gone);
    process.chdir(gone);
    rmSync(gone, { recursive: true });
    const { files: found } = await loadConfig(undefined);
    expect(found.map(({ path: file }) => file)).not.toContain(path.join(gone, "blockhaul.yaml"));
  });

  itWhere(needsRoot)("that are another user's are refused", async () => {
    const file = files.write("other.yaml", "parallel: 1\n");
    chownSync(file, 12_345, 12_345);
    expect(await faultsOf(loadConfig(file))).toEqual([
      expect.objectContaining({ message: expect.stringContaining("belongs to another user") }),
    ]);
  });

  it("that are no text are refused", async () => {
    const file = files.write("latin.yaml", "");
    writeFileSync(file, Buffer.from([0x61, 0x3a, 0x20, 0xff]));
    expect(await faultsOf(loadConfig(file))).toEqual([
      expect.objectContaining({ message: "is no text in UTF-8" }),
    ]);
  });
});
