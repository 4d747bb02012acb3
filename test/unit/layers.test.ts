import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

/** The files of src/ that a file imports, types aside: those leave nothing behind. */
function importsOf(file: string, { lazily = true } = {}): string[] {
  const text = readFileSync(path.join(source, file), "utf8");
  const statements = text.matchAll(
    /(?:import|export)(?!\s+type\b)[^;"]*?from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g,
  );
  const found = [...statements].filter(([, named]) => lazily || named !== undefined);
  return found.map(([, named, dynamic]) =>
    path.join(path.dirname(file), (named ?? dynamic ?? "").replace(/\.js$/, ".ts")),
  );
}

const within = (folder: string) => files.filter((file) => file.startsWith(folder));

describe("the layers of src/", () => {
  it("are looked at", () => {
    expect(importsOf("registry.ts")).toEqual(
      expect.arrayContaining(["errors.ts", "drivers/file.ts", "drivers/rbd.ts"]),
    );
  });

  it("leave the command nothing but the public API", () => {
    for (const file of within("cli/")) {
      const outside = importsOf(file).filter((name) => !name.startsWith("cli/"));
      expect({ file, outside }).toEqual({
        file,
        outside: outside.filter((name) => name === "index.ts"),
      });
    }
  });

  const layers: readonly (readonly [name: string, folder: string, below: RegExp])[] = [
    [
      "drivers apart from volumes, copies and each other's registry",
      "drivers/",
      /^(drivers|connectors|attachments|lvm|exporters|usage|system)\/|^(export-driver|errors|native|units|driver)\.ts$/,
    ],
    [
      "connectors apart from the drivers that use them",
      "connectors/",
      /^(connectors|attachments|usage|system)\/|^(errors|error-codes|native|units)\.ts$/,
    ],
    [
      "LVM apart from volumes and drivers",
      "lvm/",
      /^(lvm|system)\/|^attachments\/step\.ts$|^(errors|units)\.ts$/,
    ],
    [
      "exporters apart from whose volumes they export",
      "exporters/",
      /^(exporters|connectors|system)\/|^attachments\/step\.ts$|^errors\.ts$/,
    ],
    ["who uses what apart from volumes", "usage/", /^(usage|system)\/|^(errors|native|units)\.ts$/],
    [
      "guards apart from the copies that they guard",
      "guards/",
      /^(guards|usage|system)\/|^(errors|known-keys|units|volume)\.ts$/,
    ],
    ["the system's ways apart from storage", "system/", /^system\/|^(errors|native)\.ts$/],
  ];

  it.each(layers)("keep %s", (_, folder, below) => {
    for (const file of within(folder)) {
      const above = importsOf(file).filter((name) => !below.test(name));
      expect({ file, above }).toEqual({ file, above: [] });
    }
  });

  it("load the addon in one place", () => {
    const loading = files.filter((file) =>
      readFileSync(path.join(source, file), "utf8").includes("node-gyp-build"),
    );
    expect(loading).toEqual(["native.ts"]);
  });

  it("have no circles, but of what is loaded later", () => {
    const done = new Set<string>();
    const visit = (file: string, way: string[]) => {
      expect(way, "a circle").not.toContain(file);
      if (done.has(file)) return;
      for (const next of importsOf(file, { lazily: false })) visit(next, [...way, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });
});
