import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { type ListedNode, parseNodes } from "../../../../src/connectors/iscsi/output.js";
import { garbage, groupTag, portal, targetName } from "./arbitraries.js";

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

it("the parser does not throw, whatever it gets, nor finds what no line is", () => {
  fc.assert(
    fc.property(garbage, (text) => {
      for (const node of parseNodes(text)) {
        expect(node.portal.port).toBeGreaterThan(0);
        expect(`${node.iqn}${node.portal.host}`).toMatch(/^\S+$/);
      }
    }),
    { numRuns: 3000 },
  );
});

it("the parser takes long garbage in its stride", () => {
  // What looked at each of its ends again would take hours.
  for (const piece of ["[", "[[[]:", "a:1,", "1:1,1 ", " "]) {
    const text = piece.repeat(20_000);
    parseNodes(text);
  }
});

const noise = fc.constantFrom("", "\n", "iscsiadm: iscsid is not running.\n", "New thing added\n");

function at(host: string, port = 3260) {
  return { host, port };
}

/** As idbm_print_node_flat() of open-iscsi prints it. */
function nodeLine({ portal: { host, port }, groupTag: tag, iqn: name }: ListedNode): string {
  return `${host.includes(".") ? host : `[${host}]`}:${port},${tag} ${name}`;
}
