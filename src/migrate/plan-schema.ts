/** What a plan's file may hold. */
import * as v from "valibot";

import { GUARD_NAMES } from "../guards/guard.js";
import { parseSize } from "../units.js";
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

const moveOptions = {
  deleteSource: v.optional(v.boolean()),
  rename: v.optional(v.boolean()),
  withSnapshots: v.optional(v.boolean()),
  verify: v.optional(v.boolean()),
  method: v.optional(v.picklist(["auto", "copy"])),
  provisioning: v.optional(v.picklist(["thin", "thick"])),
  create: v.optional(v.record(v.string(), v.unknown())),
  allow: v.optional(v.array(v.picklist(GUARD_NAMES))),
  hooks: v.optional(v.strictObject(v.entriesFromList(HOOK_NAMES, v.exactOptional(program)))),
  bandwidth: v.optional(size),
  iops: v.optional(whole(0, 999_999_999)),
  requests: v.optional(whole(1, 4096)),
  requestSize: v.optional(size),
  memory: v.optional(size),
  threads: v.optional(whole(1, 64)),
  digest: v.optional(v.picklist(["xxh3", "sha256", "none"])),
  retries: v.optional(whole(0, 1000)),
  requestTimeout: v.optional(seconds),
  stallTimeout: v.optional(seconds),
  checkpointInterval: v.optional(seconds),
};

const move = v.strictObject({
  name: v.optional(text),
  source: text,
  target: text,
  group: v.optional(text),
  after: v.optional(v.array(text)),
  ...moveOptions,
});

const group = v.strictObject({
  after: v.optional(v.array(text)),
  parallel: v.optional(whole(1, 64)),
});

export const planSchema = v.strictObject({
  parallel: v.optional(whole(1, 64)),
  continueOnError: v.optional(v.boolean()),
  defaults: v.optional(v.strictObject(moveOptions)),
  groups: v.optional(v.record(text, group)),
  moves: v.pipe(v.array(move), v.minLength(1, "names no move")),
});

export type PlanSettings = v.InferOutput<typeof planSchema>;
export type MoveSettings = PlanSettings["moves"][number];
