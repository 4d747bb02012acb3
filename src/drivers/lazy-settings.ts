import type { StandardSchema } from "../driver.js";

/** A schema that is loaded when something is held to it: who copies files needs no library of schemas. */
export interface LazySettings<Place> extends StandardSchema<Place> {
  load(): Promise<StandardSchema<Place>>;
}

/** Of a driver's `places`: the schema that `load` imports. */
export function lazySettings<Place>(
  load: () => Promise<StandardSchema<Place>>,
): LazySettings<Place> {
  return {
    load,
    "~standard": {
      version: 1,
      vendor: "blockhaul",
      validate: async (value) => (await load())["~standard"].validate(value),
    },
  };
}
