/** A third party's driver for fixtures: a backend of it has a `library`, whose volumes are always the same two. */
import { plainDriver } from "./plain-driver.mjs";

/** Of all volumes there are, by their refs. */
const KiB = 1024;

/** @param {string} name also its scheme */
export function tapeDriver(name) {
  return {
    ...plainDriver({ name, summary: "tapes, for tests", write: false }, () => ({
      size: 64 * KiB,
      read: (/** @type {Uint8Array} */ buffer) => void buffer.fill(7),
    })),
    places: {
      settings: {
        "~standard": {
          version: /** @type {const} */ (1),
          vendor: "tapes",
          validate: (/** @type {unknown} */ value) => check(/** @type {object} */ (value)),
        },
      },
      locate: (/** @type {unknown} */ place, /** @type {string} */ volume) =>
        `${name}:${JSON.stringify(place)}/${volume}`,
    },
    listVolumes: async () => [
      { name: "first", size: 64 * KiB, allocated: 4 * KiB },
      { name: "second", size: 64 * KiB },
    ],
    stats: async () => ({ capacity: 3 * KiB ** 4, free: 1.25 * KiB ** 4, granularity: 4 * KiB }),
    supports: {
      ...plainDriver({ name, summary: "", write: false }, () => ({ size: 0, read: () => {} }))
        .supports,
      list: true,
      stats: true,
    },
  };
}

/** @param {object} settings */
function check(settings) {
  const { library, ...further } = /** @type {Record<string, unknown>} */ (settings);
  const unknown = Object.keys(further).map((key) => ({ message: "is not known", path: [key] }));
  const issues =
    typeof library === "number"
      ? unknown
      : [...unknown, { message: "must be a number", path: ["library"] }];
  return issues.length === 0 ? { value: { library } } : { issues };
}
