/** What a plan may hold: as a file has it, and as an object, which differ in a few names and units. */
import * as v from "valibot";

import { GUARD_NAMES } from "../guards/guard.js";
import { parseSize } from "../units.js";
import type { Move, MoveOptions, ReadPlan } from "./plan-types.js";
import { HOOK_NAMES } from "./types.js";

const whole = (least: number, most: number) =>
  v.pipe(
    v.number(),
    v.integer("must be a whole number"),
    v.minValue(least, `must be from ${least} to ${most}`),
    v.maxValue(most, `must be from ${least} to ${most}`),
  );

/** Bytes, as a number or as people write them. */
const size = v.pipe(
  v.union([v.number(), v.string()], "must be a size: 4096, 64KiB, 1.5G"),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return parseSize(String(dataset.value));
    } catch {
      addIssue({ message: `${JSON.stringify(dataset.value)} is not a size: 4096, 64KiB, 1.5G` });
      return NEVER;
    }
  }),
);

/** Seconds, for the library's milliseconds; never 0 of what is more: that means for ever. */
const seconds = v.pipe(
  v.number(),
  v.minValue(0, "must be a number of seconds from 0 to 2000000"),
  v.maxValue(2_000_000, "must be a number of seconds from 0 to 2000000"),
  v.transform((value) => Math.ceil(value * 1000)),
);

const text = v.pipe(v.string(), v.nonEmpty("must not be empty"));
const program = v.pipe(v.array(v.string()), v.minLength(1, "names no program"));

/** Of an object: bytes, or as many requests. */
const amount = v.union([v.number(), v.bigint()], "must be a whole number");

/** A function is no text: only of an object. */
const hook = v.union(
  [v.function(), program],
  "must be a function, or a program and its arguments as a list",
);

/** What a migration is told beside sizes, in a plan of either form and in its record. */
export const moveSettings = {
  deleteSource: v.optional(v.boolean()),
  rename: v.optional(v.boolean()),
  withSnapshots: v.optional(v.boolean()),
  verify: v.optional(v.boolean()),
  fixGpt: v.optional(v.boolean()),
  freeze: v.optional(v.picklist(["snapshot", "exclusive", "none"])),
  method: v.optional(v.picklist(["auto", "copy"])),
  provisioning: v.optional(v.picklist(["thin", "thick"])),
  create: v.optional(v.record(v.string(), v.unknown())),
  allow: v.optional(v.array(v.picklist(GUARD_NAMES))),
};

/** The settings of a move that both forms have, by the same names. */
const settings = {
  ...moveSettings,
  requests: v.optional(whole(1, 4096)),
  threads: v.optional(whole(1, 64)),
  digest: v.optional(v.picklist(["xxh3", "sha256", "none"])),
  retries: v.optional(whole(0, 1000)),
};

/** As people write the others: sizes as texts, times in seconds. */
const writtenSettings = {
  ...settings,
  hooks: v.optional(v.strictObject(v.entriesFromList(HOOK_NAMES, v.exactOptional(program)))),
  size: v.optional(size),
  bandwidth: v.optional(size),
  iops: v.optional(whole(0, 999_999_999)),
  requestSize: v.optional(size),
  memory: v.optional(size),
  requestTimeout: v.optional(seconds),
  stallTimeout: v.optional(seconds),
  checkpointInterval: v.optional(seconds),
};

/** As the library has them: bytes and milliseconds, which the copy checks. */
const givenSettings = {
  ...settings,
  hooks: v.optional(v.strictObject(v.entriesFromList(HOOK_NAMES, v.optional(hook)))),
  size: v.optional(v.number()),
  bandwidthLimit: v.optional(amount),
  iopsLimit: v.optional(v.number()),
  requestSize: v.optional(amount),
  memory: v.optional(amount),
  requestTimeoutMs: v.optional(v.number()),
  stallLimitMs: v.optional(v.number()),
  checkpointIntervalMs: v.optional(v.number()),
} satisfies KeysOfSchema<MoveOptions>;

/** Each move is looked at, and may wait for each other one: what takes longer is no plan to look through. */
const MOST_MOVES = 10_000;
const TOO_MANY = `names more than ${MOST_MOVES} moves: split it into several plans`;

const move = {
  name: v.optional(text),
  source: text,
  target: text,
  group: v.optional(text),
  after: v.optional(v.array(text)),
};

const group = v.strictObject({
  after: v.optional(v.array(text)),
  parallel: v.optional(whole(1, 64)),
});

const plan = {
  parallel: v.optional(whole(1, 64)),
  continueOnError: v.optional(v.boolean()),
  groups: v.optional(v.record(text, group)),
};

/** A plan's file. */
export const planSchema = v.strictObject({
  ...plan,
  defaults: v.optional(v.strictObject(writtenSettings)),
  moves: v.pipe(
    v.array(v.strictObject({ ...move, ...writtenSettings })),
    v.minLength(1, "names no move"),
    v.maxLength(MOST_MOVES, TOO_MANY),
  ),
});

/** A plan as an object; what was read of a file is one, too. */
export const planObjectSchema = v.strictObject({
  ...plan,
  moves: v.pipe(
    v.array(
      v.strictObject({
        ...move,
        options: v.optional(v.strictObject(givenSettings)),
        at: v.optional(v.string()),
      } satisfies KeysOfSchema<Move>),
    ),
    v.maxLength(MOST_MOVES, TOO_MANY),
  ),
  faults: v.optional(v.array(v.unknown())),
  unread: v.optional(v.array(v.unknown())),
} satisfies KeysOfSchema<ReadPlan>);

/** The compiler holds the schema of an object to its type. */
export type KeysOfSchema<Options> = Readonly<Record<keyof Required<Options>, v.GenericSchema>>;

export type PlanSettings = v.InferOutput<typeof planSchema>;
export type MoveSettings = PlanSettings["moves"][number];
