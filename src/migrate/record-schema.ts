/** What the record of a migration may hold: whoever goes on, or back, by one believes every field of it. */
import * as v from "valibot";

import type { VolumeEnd } from "../volume-end.js";
import { type KeysOfSchema, moveSettings } from "./plan-schema.js";
import {
  HANDOVER_STEPS,
  type HandoverStep,
  type MigrationRecord,
  type RecordedTarget,
} from "./record.js";
import {
  HOOK_NAMES,
  MIGRATION_STATES,
  type MigrationSettings,
  type MigrationTuning,
} from "./types.js";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const text = v.pipe(v.string(), v.nonEmpty());
const amount = v.optional(v.pipe(v.number(), v.finite(), v.minValue(0)));
const moment = v.pipe(v.string(), v.isoTimestamp());
const digest = v.pipe(v.string(), v.regex(/^(xxh3|sha256):[0-9a-f]+$/));

const end = {
  ref: text,
  identity: text,
  size: count,
  blockSize: count,
  born: v.optional(text),
} satisfies KeysOfSchema<VolumeEnd>;

const target = {
  ref: text,
  temporary: text,
  isOurs: v.boolean(),
  identity: v.optional(text),
  size: v.optional(count),
} satisfies KeysOfSchema<RecordedTarget>;

const settings = {
  ...moveSettings,
  size: v.optional(count),
} satisfies KeysOfSchema<MigrationSettings>;

const tuning = {
  requests: amount,
  requestSize: amount,
  memory: amount,
  threads: amount,
  digest: v.optional(v.picklist(["xxh3", "sha256", "none"])),
  bandwidthLimit: amount,
  iopsLimit: amount,
  retries: amount,
  requestTimeoutMs: amount,
  stallLimitMs: amount,
  checkpointIntervalMs: amount,
} satisfies KeysOfSchema<MigrationTuning>;

const program = v.pipe(v.array(v.string()), v.minLength(1));
const ofBoth = v.optional(v.strictObject({ source: v.optional(text), target: v.optional(text) }));

const fields = {
  version: v.literal(1),
  id: v.pipe(v.string(), v.regex(/^[a-z0-9]{8}$/)),
  kind: v.literal("migrate"),
  createdAt: moment,
  state: v.picklist([...MIGRATION_STATES, "aborting", "aborted"]),
  source: v.strictObject(end),
  target: v.strictObject(target),
  places: ofBoth,
  placeIds: ofBoth,
  method: text,
  freeze: v.picklist(["snapshot", "exclusive", "guarded", "frozen"]),
  settings: v.strictObject(settings),
  tuning: v.strictObject(tuning),
  hooks: v.strictObject(v.entriesFromList(HOOK_NAMES, v.exactOptional(program))),
  functionHooks: v.array(v.picklist(HOOK_NAMES)),
  snapshot: v.optional(text),
  snapshotIdentity: v.optional(text),
  setAside: v.optional(text),
  removing: v.optional(text),
  snapshots: v.array(text),
  carried: v.array(text),
  compared: v.optional(v.record(text, text)),
  isPrepared: v.boolean(),
  handover: v.array(v.picklist(HANDOVER_STEPS)),
  digest: v.optional(digest),
  verified: v.boolean(),
  notices: v.array(v.string()),
  pid: count,
  begunAt: moment,
  endedAt: v.optional(moment),
  error: v.optional(v.strictObject({ code: text, message: v.string() })),
} satisfies KeysOfSchema<MigrationRecord>;

/** What was done before each step: none is believed that could not have come. */
const NEEDS: Readonly<Partial<Record<HandoverStep, readonly HandoverStep[]>>> = {
  "gpt-fixed": ["beforeHandover"],
  "setting-aside": ["beforeHandover"],
  "set-aside": ["setting-aside"],
  "renaming-target": ["beforeHandover"],
  "target-renamed": ["renaming-target"],
  afterHandover: ["beforeHandover"],
  "taking-away": ["afterHandover"],
  "taken-away": ["taking-away"],
  "dropping-snapshot": ["afterHandover"],
  "snapshots-dropped": ["afterHandover"],
  "deleting-source": ["dropping-snapshot", "snapshots-dropped"],
};

type Parsed = v.InferOutput<v.StrictObjectSchema<typeof fields, undefined>>;

/** Nobody hands over what was to be verified and was not. */
function isProven({ state, verified, settings }: Parsed): boolean {
  if (state !== "handing-over" && state !== "done") return true;
  return verified || settings.verify === false;
}

function hasPossibleSteps({ state, handover, setAside, removing }: Parsed): boolean {
  const done = new Set(handover);
  if (done.size > 0 && MIGRATION_STATES.slice(0, -2).some((early) => early === state)) return false;
  if (done.has("setting-aside") && setAside === undefined) return false;
  if (done.has("taking-away") && removing === undefined) return false;
  return handover.every((step) => (NEEDS[step] ?? []).every((needed) => done.has(needed)));
}

const record = v.pipe(
  v.strictObject(fields),
  v.forward(v.check(isProven), ["verified"]),
  v.forward(v.check(hasPossibleSteps), ["handover"]),
);

/** The record that an object is; else what is wrong with it, to be read behind the name of its file. */
export function parseMigration(
  value: Readonly<Record<string, unknown>>,
): { readonly record: MigrationRecord } | { readonly fault: string } {
  const { success, output, issues } = v.safeParse(record, value, { abortEarly: true });
  if (success) return { record: output };
  const [{ path }] = issues;
  const where = path?.map(({ key }) => String(key)).join(".") ?? "it";
  return {
    fault: `it is no record of a migration that this version knows: ${where} is not as it was written`,
  };
}
