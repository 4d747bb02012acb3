import { readdirSync, readFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";

import { Output } from "../../../src/cli/output.js";

describe("an output stream", () => {
  it("is waited for as often as one likes, without leaving listeners behind", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const output = new Output(stream, {});
    const before = listeners(stream);
    for (let round = 0; round < 3; round += 1) {
      output.line("more than it holds");
      const drained = output.drained();
      expect(stream.writableNeedDrain).toBe(true);
      stream.resume();
      await drained;
      stream.pause();
    }
    expect(listeners(stream)).toEqual(before);
  });

  it("whose reader went away takes nothing more, and nobody waits for it", async () => {
    const stream = new PassThrough({ highWaterMark: 1 });
    const output = new Output(stream, {});
    output.line("more than it holds");
    const drained = output.drained();
    stream.destroy(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await drained;
    expect(output.closed).toBe(true);
    output.line("unheard");
    await output.drained();
  });

  it("that fails otherwise says what failed", async () => {
    const stream = new PassThrough();
    const caught = new Promise((resolve) => {
      const { emit } = stream;
      // What a handler throws would end the process.
      stream.emit = ((...args: Parameters<typeof emit>) => {
        try {
          return emit.apply(stream, args);
        } catch (error) {
          resolve(error);
          return true;
        }
      }) as typeof emit;
    });
    const output = new Output(stream, {});
    stream.destroy(Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" }));
    expect(await caught).toMatchObject({
      code: "ERR_IO",
      message: "standard output cannot be written to: ENOSPC: no space left",
      hint: "what was printed is not complete",
    });
    expect(output.closed).toBe(true);
  });
});

const ESC = "\u001b";
const HOSTILE = `x${ESC}]0;pwned\u0007${ESC}[31m\r\nok: done\u0085\u009b2J\u202egmi.ksid\u2028`;
const SHOWN =
  "x\\x1b]0;pwned\\x07\\x1b[31m\\x0d\\x0aok: done\\u0085\\u009b2J\\u202egmi.ksid\\u2028";
const KEY = "AQBSdFRfAAAAABAAkCvSiLNQ5p5jYnJUWzZzZA==";

/** What an output writes, on a terminal unless told. */
function written(act: (output: Output) => void, environment = {}, isTTY = true): string {
  const stream = Object.assign(new PassThrough(), { isTTY });
  act(new Output(stream, environment));
  return String(stream.read() ?? "");
}

describe("what others called their things", () => {
  it.each<[string, (output: Output) => void, string]>([
    ["a line", (output) => output.line(`a ${HOSTILE}`), `a ${SHOWN}\n`],
    ["lines", (output) => output.lines([HOSTILE, "b"]), `${SHOWN}\nb\n`],
    ["a name", (output) => output.name(HOSTILE), `${SHOWN}\n`],
    ["a question", (output) => output.prompt(`${HOSTILE}? `), `${SHOWN}? `],
    ["a part of a line", (output) => output.line(["a ", HOSTILE]), `a ${SHOWN}\n`],
  ])("is shown, and does nothing, in %s", (_, act, text) => {
    expect(written(act)).toBe(text);
    // In a log as well: somebody will look at that on a terminal.
    expect(written(act, {}, false)).toBe(text);
  });

  it("is escaped in JSON as JSON has it", () => {
    const text = written((output) => output.json({ name: HOSTILE, [HOSTILE]: [HOSTILE] }));
    expect(text).toMatch(/^[\x20-\x7e]+\n$/);
    expect(JSON.parse(text)).toEqual({ name: HOSTILE, [HOSTILE]: [HOSTILE] });
  });

  it("has colours of ours around it, and none of its own", () => {
    const act = (output: Output) => output.line(["a: ", { colour: "red", text: HOSTILE }, "."]);
    expect(written(act)).toBe(`a: ${ESC}[31m${SHOWN}${ESC}[0m.\n`);
    expect(written(act, { NO_COLOR: "1" })).toBe(`a: ${SHOWN}.\n`);
    expect(written(act, {}, false)).toBe(`a: ${SHOWN}.\n`);
    expect(written(act, { TERM: "dumb" })).toBe(`a: ${SHOWN}.\n`);
  });

  it("is drawn without control characters, and what is printed next takes the place", () => {
    const text = written((output) => {
      output.draw([HOSTILE, "b"]);
      output.line("c");
      output.draw(["d"]);
      output.clear();
      output.clear();
    });
    const [drawn, cleared, ...rest] = text.split("\r");
    expect(drawn).toBe(`${SHOWN}${ESC}[K\nb${ESC}[K${ESC}[J`);
    expect(cleared).toBe(`${ESC}[1A${ESC}[Jc\nd${ESC}[K${ESC}[J`);
    expect(rest).toEqual([`${ESC}[J`]);
  });
});

describe("a secret", () => {
  const refs = [
    `rbd:a/b:key=${KEY}`,
    "iscsi://me:sesame@h/iqn.x:a/1",
    "iscsi://me%sesame@h/iqn.x:a/1",
  ];

  it("is printed in no way", () => {
    const text = written((output) => {
      for (const ref of refs) {
        output.line(`plan: ${ref} to x`);
        output.lines([ref, ["a", ref, { colour: "red", text: ref }]]);
        output.name(ref);
        output.prompt(ref);
        output.draw([ref]);
        output.json({ ref, list: [{ message: `of ${ref}` }] });
      }
      output.json({ key: "sesame", chap: { client_secret: "sesame", password: "sesame" } });
      output.json({ record: "node.session.auth.password = sesame sesame", after: "kept" });
    });
    expect(text).not.toContain("sesame");
    expect(text).not.toContain(KEY);
    expect(text.match(/\*\*\*/g)?.length).toBeGreaterThan(20);
    expect(text).toContain('"after":"kept"');
  });

  it("is nothing that help and completion have to show", async () => {
    const { COMMANDS } = await import("../../../src/cli/commands.js");
    const { bashScript } = await import("../../../src/cli/completion/bash.js");
    const { zshScript } = await import("../../../src/cli/completion/zsh.js");
    const { fishScript } = await import("../../../src/cli/completion/fish.js");
    for (const script of [bashScript, zshScript, fishScript]) {
      const lines = script(COMMANDS).trimEnd().split("\n");
      expect(written((output) => output.lines(lines))).toBe(script(COMMANDS));
    }
    for (const { summary, description, examples, options } of COMMANDS) {
      const help = [
        summary,
        description ?? "",
        ...examples.flat(),
        ...options.map(({ help }) => help),
      ];
      const lines = help.flatMap((text) => text.split("\n"));
      expect(written((output) => output.lines(lines))).toBe(`${lines.join("\n")}\n`);
    }
  });
});

it("nothing in the command prints past the outputs", () => {
  const folder = new URL("../../../src/cli/", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const past = files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const text = readFileSync(new URL(file, folder), "utf8");
      const found =
        text.match(/console\.|process\.std(?:out|err)\b|\.write\(|writeFileSync?\(/g) ?? [];
      return found.map((what) => `${file}: ${what}`);
    });
  expect(past.sort()).toEqual([
    // The version, which is ours.
    "main.ts: .write(",
    "main.ts: process.stdout",
    // It writes, and tells stderr from stdout.
    "output.ts: .write(",
    "output.ts: process.stderr",
    // It makes the outputs.
    "program.ts: process.stderr",
    "program.ts: process.stdout",
  ]);
});

function listeners(stream: PassThrough): number[] {
  return ["drain", "close", "error"].map((event) => stream.listenerCount(event));
}
