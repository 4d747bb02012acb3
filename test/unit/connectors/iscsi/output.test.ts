import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  type ListedNode,
  parseNodes,
  parseRecords,
} from "../../../../src/connectors/iscsi/output.js";
import { garbage, groupTag, portal, targetName, value } from "./arbitraries.js";

const iqn = "iqn.2026-01.test:a";

describe("parseNodes", () => {
  it("reads discoveries and lists of records", () => {
    const output = [
      "127.0.0.1:3260,4294967295 iqn.2026-01.test:a",
      "127.0.0.1:3261,0 iqn.2026-01.test:a",
      "[::1]:3260,65535 iqn.2026-01.test:a",
      "[[]:0,2 iqn.2026-01.test:a",
      "[localhost]:3260,-1 iqn.2026-01.test:a\r",
      "iscsiadm: No records found",
    ].join("\n");
    expect(parseNodes(output)).toEqual([
      { portal: at("127.0.0.1"), iqn },
      { portal: at("127.0.0.1", 3261), groupTag: 0, iqn },
      { portal: at("::1"), groupTag: 65_535, iqn },
      { portal: at("localhost"), iqn },
    ]);
  });

  it("reads every line that is one as it was meant", () => {
    const node = fc.record({ portal, groupTag, iqn: targetName });
    fc.assert(
      fc.property(fc.array(fc.tuple(node, noise)), (lines) => {
        const output = lines.map(([before, between]) => `${between}${nodeLine(before)}\n`);
        expect(parseNodes(output.join(""))).toEqual(lines.map(([before]) => before));
      }),
    );
  });
});

describe("parseRecords", () => {
  it("reads several, and what is empty", () => {
    const output = [
      "node.name = before any record",
      "# BEGIN RECORD 2.1.8",
      "node.name = iqn.2026-01.test:a",
      "iface.hwaddress = <empty>",
      "node.session.auth.password = ********",
      "node.session.auth.username = a = b #c",
      "node.session.auth.username_in = a\u2028b",
      "node.broken=x",
      "node.broken",
      "# node.comment = x",
      "# END RECORD",
      "node.name = between records",
      "# BEGIN RECORD 2.0-873",
      "__proto__ = x",
      "# END RECORD",
      "",
    ].join("\n");
    expect(parseRecords(output).map((record) => [...record])).toEqual([
      [
        ["node.name", iqn],
        ["iface.hwaddress", ""],
        ["node.session.auth.password", "********"],
        ["node.session.auth.username", "a = b #c"],
        ["node.session.auth.username_in", "a\u2028b"],
      ],
      [["__proto__", "x"]],
    ]);
  });

  it("reads every setting as it was written", () => {
    const setting = fc.tuple(fc.stringMatching(/^[a-z][a-z0-9_.[\]]{0,20}$/), value);
    fc.assert(
      fc.property(fc.array(fc.array(setting)), (records) => {
        const output = records.map((settings) => {
          const lines = settings.map(([name, text]) => `${name} = ${text}\n`);
          return `# BEGIN RECORD 2.1.8\n${lines.join("")}# END RECORD\n`;
        });
        expect(parseRecords(output.join(""))).toEqual(records.map((settings) => new Map(settings)));
      }),
    );
  });
});

it("no parser throws, whatever it gets, nor finds what no line is", () => {
  fc.assert(
    fc.property(garbage, (text) => {
      for (const node of parseNodes(text)) {
        expect(node.portal.port).toBeGreaterThan(0);
        expect(`${node.iqn}${node.portal.host}`).toMatch(/^\S+$/);
      }
      expect(parseRecords(text).length).toBeLessThanOrEqual(text.split("# BEGIN RECORD").length);
    }),
    { numRuns: 3000 },
  );
});

it("the parsers take long garbage in their stride", () => {
  const started = performance.now();
  for (const piece of ["[", "[[[]:", "a:1,", "1:1,1 ", "x = ", "# BEGIN RECORD", " "]) {
    const text = piece.repeat(20_000);
    parseNodes(text);
    parseRecords(text);
  }
  expect(performance.now() - started).toBeLessThan(5000);
});

const noise = fc.constantFrom("", "\n", "iscsiadm: iscsid is not running.\n", "New thing added\n");

function at(host: string, port = 3260) {
  return { host, port };
}

/** As idbm_print_node_flat() of open-iscsi prints it. */
function nodeLine({ portal: { host, port }, groupTag: tag, iqn: name }: ListedNode): string {
  return `${host.includes(".") ? host : `[${host}]`}:${port},${tag} ${name}`;
}
