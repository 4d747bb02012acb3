/** What a backend's section of `blockhaul.yaml` says of a pool. */
import * as v from "valibot";

import { parseSize } from "../units.js";
import { faultOfCreateOptions, type RbdCreateOptions } from "./rbd-create.js";
import type { RbdSpot } from "./rbd-native.js";

/** A pool, or a namespace of one, and what new images are there. */
export interface RbdPlace extends RbdSpot {
  readonly create: RbdCreateOptions;
}

const text = v.pipe(v.string(), v.nonEmpty("must not be empty"));
const nameInPath = v.pipe(text, v.regex(/^[^/\0]*$/, "must not contain a slash"));

/** Bytes, or a text such as "4MiB". */
const size = v.pipe(
  v.union([v.number(), v.string()], "must be a size: 4194304, 4MiB"),
  v.rawTransform<number | string, number>(({ dataset, addIssue, NEVER }) => {
    if (typeof dataset.value === "number") return dataset.value;
    try {
      return parseSize(dataset.value);
    } catch (error) {
      addIssue({ message: error instanceof Error ? error.message : String(error) });
      return NEVER;
    }
  }),
);

const timeout = v.pipe(
  v.number(),
  v.integer("must be a whole number of seconds"),
  v.minValue(1, "must be 1 to 999999 seconds"),
  v.maxValue(999_999, "must be 1 to 999999 seconds"),
);

const fields = v.strictObject({
  pool: nameInPath,
  namespace: v.optional(nameInPath),
  id: v.optional(text),
  cluster: v.optional(text),
  conf: v.optional(text),
  timeout: v.optional(timeout),
  keyring: v.optional(text),
  monHost: v.optional(text),
  objectSize: v.optional(size),
  features: v.optional(v.array(text)),
  dataPool: v.optional(text),
  stripeUnit: v.optional(size),
  stripeCount: v.optional(v.number()),
});

type Fields = v.InferOutput<typeof fields>;

export const rbdSettings: v.GenericSchema<unknown, RbdPlace> = v.pipe(
  fields,
  v.check(
    (given) => faultOfCreateOptions(createOptions(given)) === undefined,
    ({ input }) => faultOfCreateOptions(createOptions(input)) ?? "",
  ),
  v.transform((given) => placeOf(given)),
);

function placeOf(given: Fields): RbdPlace {
  const { pool, namespace = "", id, cluster, conf, timeout: seconds, keyring, monHost } = given;
  return {
    pool,
    namespace,
    ...(id === undefined ? {} : { id }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(conf === undefined ? {} : { conf }),
    ...(seconds === undefined ? {} : { timeout: seconds }),
    settings: {
      ...(keyring === undefined ? {} : { keyring }),
      ...(monHost === undefined ? {} : { mon_host: monHost }),
    },
    create: createOptions(given),
  };
}

function createOptions(given: Fields): RbdCreateOptions {
  const { objectSize, features, dataPool, stripeUnit, stripeCount } = given;
  return {
    ...(objectSize === undefined ? {} : { objectSize }),
    ...(features === undefined ? {} : { features }),
    ...(dataPool === undefined ? {} : { dataPool }),
    ...(stripeUnit === undefined ? {} : { stripeUnit }),
    ...(stripeCount === undefined ? {} : { stripeCount }),
  };
}
