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
      expect.arrayContaining(["errors.ts", "drivers/path.ts", "drivers/rbd.ts"]),
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

  it("keep drivers apart from volumes, copies and each other's registry", () => {
    const allowed =
      /^(drivers\/|attachments\/|lvm\/|errors\.ts$|native\.ts$|units\.ts$|driver\.ts$)/;
    for (const file of within("drivers/")) {
      expect({ file, above: importsOf(file).filter((name) => !allowed.test(name)) }).toEqual({
        file,
        above: [],
      });
    }
  });

  it("keep LVM apart from volumes and drivers", () => {
    const allowed = /^(lvm\/|attachments\/step\.ts$|system\/|errors\.ts$|units\.ts$)/;
    for (const file of within("lvm/")) {
      expect({ file, above: importsOf(file).filter((name) => !allowed.test(name)) }).toEqual({
        file,
        above: [],
      });
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
