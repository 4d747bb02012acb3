import { camelCase, type OptionSpec, type OptionValues } from "./options.js";

const heading = "A new target";

/** What a new target may be told, each option by the driver that knows it. */
export const creationOptions = [
  {
    name: "object-size",
    kind: "size",
    range: { least: 4096, most: 32 * 1024 ** 2 },
    powerOfTwo: true,
    heading,
    help: "rbd: bytes of an object, a power of two from 4KiB to 32MiB",
  },
  {
    name: "features",
    kind: "list",
    placeholder: "NAME,NAME",
    choices: [
      "layering",
      "striping",
      "exclusive-lock",
      "object-map",
      "fast-diff",
      "deep-flatten",
      "journaling",
    ],
    heading,
    help: "rbd: the image's features",
  },
  {
    name: "data-pool",
    kind: "text",
    placeholder: "POOL",
    heading,
    help: "rbd: the pool that takes the data",
  },
  {
    name: "stripe-unit",
    kind: "size",
    heading,
    help: "rbd: bytes of a stripe's piece; goes with --stripe-count",
  },
  {
    name: "stripe-count",
    kind: "count",
    heading,
    help: "rbd: objects that a stripe spans",
  },
  {
    name: "thin-pool",
    kind: "text",
    placeholder: "POOL",
    heading,
    help: "lvm: make a thin volume in this pool of the group (a thick one)",
  },
] as const satisfies readonly OptionSpec[];

type CreationValues = OptionValues<typeof creationOptions>;

export const CREATION_FLAGS = creationOptions.map(({ name }) =>
  camelCase(name),
) as readonly (keyof CreationValues)[];

/** Those that were given, as a driver takes them. */
export function creationOf(options: CreationValues): Record<string, unknown> {
  const given = CREATION_FLAGS.filter((flag) => options[flag] !== undefined);
  return Object.fromEntries(given.map((flag) => [flag, options[flag]]));
}
