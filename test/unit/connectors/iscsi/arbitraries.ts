/** Names that iSCSI knows, valid and hostile, for property tests. */
import fc from "fast-check";

import type { Portal } from "../../../../src/connectors/connection.js";

/** What the grammars exist to keep out: arguments, paths, line breaks, and texts without end. */
export const HOSTILE = [
  "",
  " ",
  "-T",
  "-o",
  "--",
  "--op=delete",
  "..",
  "../",
  "../../etc/passwd",
  "/",
  "/etc/iscsi",
  "a/b",
  "a b",
  "a\tb",
  "a\nb",
  "a\r\nb",
  "a\0b",
  "a\u007fb",
  "$(reboot)",
  "`reboot`",
  "a;b",
  "a|b",
  "*",
  "é",
  "\u2028",
  "\ud800",
  "x".repeat(300),
] as const;

const hex = (length: number) =>
  fc.string({
    minLength: length,
    maxLength: length,
    unit: fc.constantFrom(..."0123456789abcdefABCDEF"),
  });

const iqn = fc
  .tuple(
    fc.integer({ min: 0, max: 9999 }).map((year) => String(year).padStart(4, "0")),
    fc.integer({ min: 1, max: 12 }).map((month) => String(month).padStart(2, "0")),
    fc.array(fc.stringMatching(/^[A-Za-z0-9]([A-Za-z0-9_-]{0,9}[A-Za-z0-9])?$/), {
      minLength: 1,
      maxLength: 5,
    }),
    fc.option(fc.stringMatching(/^[A-Za-z0-9_.:-]{1,100}$/), { nil: undefined }),
  )
  .map(([year, month, domain, rest]) =>
    [`iqn.${year}-${month}.${domain.join(".")}`, rest].filter((part) => part !== undefined),
  )
  .map((parts) => parts.join(":"))
  .filter((name) => name.length <= 223);

export const targetName = fc.oneof(
  iqn,
  hex(16).map((digits) => `eui.${digits}`),
  fc.constantFrom(16, 32).chain((length) => hex(length).map((digits) => `naa.${digits}`)),
);

/** In the form that `checkPortal` gives. */
export const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((address) => new URL(`http://[${address}]/`).hostname.slice(1, -1)),
  fc.domain().map((name) => name.toLowerCase()),
  fc.stringMatching(/^[a-z][a-z0-9-]{0,10}[a-z]$/),
);

export const port = fc.integer({ min: 1, max: 65_535 });
export const portal: fc.Arbitrary<Portal> = fc.record({ host, port });
export const groupTag = fc.integer({ min: 0, max: 65_535 });

/** A value that a record of open-iscsi can hold. */
export const value = fc
  .string({ unit: "binary", minLength: 1, maxLength: 60 })
  .filter((text) => !/[\p{Cc}\p{Cs}]|^\s|\s$/u.test(text) && Buffer.byteLength(text) <= 255);

/** Text that is like what a program prints, and text that is like nothing. */
export const garbage = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        ..."[]:, =#",
        "\n",
        "tcp: [1] ",
        "127.0.0.1:3260,1 ",
        "iqn.2026-01.test:a",
        " (non-flash)",
        "# BEGIN RECORD 2.1.8",
        "# END RECORD",
        "node.name = ",
        "<empty>",
        "__proto__ = x",
      ),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));
