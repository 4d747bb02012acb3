/** Records as text that shows whether it is still what was written: JSON with a checksum of the rest in it. */
import { createHash } from "node:crypto";

/** What became of a record's text. */
export type Unsealed =
  | { readonly value: Readonly<Record<string, unknown>> }
  | { readonly fault: string };

/** The text of a record; `checksum` is added to it. */
export function seal(record: object): string {
  return `${JSON.stringify({ ...record, checksum: checksumOf(record) }, null, 2)}\n`;
}

/**
 * The record that a text holds, without its checksum; else what is wrong, to be read behind the name of its file. It is no
 * signature: who can write the file can seal it.
 */
export function unseal(text: string): Unsealed {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { fault: "it was cut short or damaged: it is no JSON" };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return { fault: "it is no record" };
  }
  const { checksum, ...value } = parsed as Record<string, unknown>;
  if (checksum === undefined) {
    return { fault: "it has no checksum: another version wrote it, or it was changed" };
  }
  if (checksum !== checksumOf(value)) {
    return { fault: "it was changed or damaged since it was written: its checksum is another" };
  }
  return { value };
}

/** Of the record as compact JSON, in the order of its keys. */
function checksumOf(record: object): string {
  return `sha256:${createHash("sha256").update(JSON.stringify(record)).digest("hex")}`;
}
