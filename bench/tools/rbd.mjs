/** @typedef {import("./tool.mjs").Tool} Tool */

/** @type {Tool} */
export const rbdImport = {
  name: "rbd import",
  settings: "`rbd import --no-progress`",
  makesTarget: () => true,
  steps: ({ source, target }) => [
    { command: ["rbd", "-c", target.conf, "import", "--no-progress", source.path, target.path] },
  ],
};

/** @type {Tool} */
export const rbdExport = {
  name: "rbd export",
  settings: "`rbd export --no-progress`",
  makesTarget: () => true,
  steps: ({ source, target }) => [
    { command: ["rbd", "-c", source.conf, "export", "--no-progress", source.path, target.path] },
  ],
};

/** @type {Tool} */
export const rbdDeepCopy = {
  name: "rbd deep cp",
  settings: "`rbd deep cp --no-progress`, within one cluster",
  makesTarget: () => true,
  steps: ({ source, target }) => [
    {
      command: ["rbd", "-c", source.conf, "deep", "cp", "--no-progress", source.path, target.path],
    },
  ],
};
