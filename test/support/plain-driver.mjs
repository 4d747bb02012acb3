/**
 * A driver of plain objects for fixtures: `name:ANYTHING`, which it hands on as it is. Its volumes can read, perhaps
 * write, and nothing else.
 *
 * @param {{ name: string, summary: string, write: boolean }} facts
 * @template {import("blockhaul").JsVolume} Opened
 * @param {(ref: string) => Opened} open
 */
export function plainDriver({ name, summary, write }, open) {
  return {
    name,
    schemes: [name],
    summary,
    refForms: [`${name}:ANYTHING`],
    supports: {
      write,
      create: /** @type {const} */ (false),
      createOptions: [],
      extents: false,
      zero: false,
      snapshots: false,
      delete: false,
    },
    parseRef: (/** @type {string} */ ref) => ref,
    openVolume: async (/** @type {string} */ ref) => ({ volume: open(ref) }),
  };
}
