/** What is wrong with a plan, in words: of a file as of an object. */
import type * as v from "valibot";

import { namesAt, suggestion } from "../known-keys.js";

export type Path = readonly (string | number)[];

export interface PlanIssue {
  readonly path: Path;
  /** The key at the path's end is missing. */
  readonly isMissing: boolean;
  /** The key at the path's end is one that nobody knows. */
  readonly isUnknown: boolean;
  readonly message: string;
}

export function explainIssue(issue: v.BaseIssue<unknown>, schema: unknown): PlanIssue {
  const path = (issue.path ?? []).map(({ key }) => key as string | number);
  const parent = path.slice(0, -1);
  const key = path.at(-1);
  const isKey = issue.path?.at(-1)?.origin === "key";
  const isUnknown = isKey && issue.expected === "never";
  const isMissing = issue.kind === "schema" && !isUnknown && issue.received === "undefined";
  const message = isMissing
    ? `${label(parent)}"${key}" is missing`
    : isUnknown
      ? `${label(parent)}unknown key "${key}"${meant(String(key), schema, parent)}`
      : `${label(path)}${describeIssue(issue)}`;
  return { path, isMissing, isUnknown, message };
}

/** Which key was meant: of an object's move, its options are one level below. */
function meant(key: string, schema: unknown, parent: Path): string {
  const below = namesAt(schema, [...parent, "options"]);
  if (below.includes(key)) return "; it belongs into options";
  return suggestion(key, namesAt(schema, parent));
}

/** "moves[3].hooks: " */
function label(path: Path): string {
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("");
  return text === "" ? "" : `${text.replace(/^\./, "")}: `;
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const { kind, type, expected, received, message } = issue;
  const isPlain = kind === "schema" && message.startsWith("Invalid ");
  if (!isPlain || expected === null) return message;
  const wanted = { boolean: "true or false", Array: "a list", Object: "a mapping" }[expected];
  const choice =
    type === "picklist" ? expected.replace(/^\(|\)$/g, "").replaceAll(" | ", ", ") : "";
  return `must be ${choice === "" ? (wanted ?? `a ${expected}`) : `one of ${choice}`}, not ${received}`;
}
