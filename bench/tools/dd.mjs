/** @type {import("./tool.mjs").Tool} */
export const dd = {
  name: "dd",
  settings: "`dd bs=1M iflag=direct oflag=direct conv=fsync,notrunc`",
  makesTarget: (kind) => kind === "file",
  steps: ({ source, target }) => [
    {
      command: [
        "dd",
        `if=${source.path}`,
        `of=${target.path}`,
        "bs=1M",
        "iflag=direct",
        "oflag=direct",
        "conv=fsync,notrunc",
      ],
    },
  ],
};
