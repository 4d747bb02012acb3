// Contests about what does not depend on the size: many small volumes, and start-up.

import { rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { check } from "./check.mjs";
import { measure } from "./measure.mjs";
import { alternate } from "./rounds.mjs";
import { command } from "./tools/blockhaul.mjs";

/** @typedef {import("./contest.mjs").Contest} Contest */
/** @typedef {import("./content.mjs").Contents} Contents */
/** @typedef {import("./lab.mjs").Lab} Lab */
/** @typedef {import("./measure.mjs").Step} Step */

const mib = 1024 * 1024;

/**
 * A contestant that is no tool of works.mjs.
 *
 * @typedef {{ name: string, settings: string, steps: (folder: string) => Step[] }} Command
 */

/** @returns {Contest[]} */
export function smallContests() {
  return [manySmall(1), manySmall(4), startUp];
}

const volumeSize = 16 * mib;
const library = fileURLToPath(new URL("tools/library.mjs", import.meta.url));
const convert = "qemu-img convert -n -f raw -O raw -t none -T none -m 16 -W";

/**
 * Like with like: as many copies at once on both sides.
 *
 * @param {number} atOnce
 * @returns {Contest}
 */
function manySmall(atOnce) {
  const id = atOnce === 1 ? "small/file-file" : `small-${atOnce}/file-file`;
  const title = `200 volumes of 16 MiB${atOnce === 1 ? "" : `, ${atOnce} at once`}: file → file`;
  return {
    id,
    title,
    quick: atOnce === 1,
    hold: (lab, contents, { rounds, quick }) => {
      // Checking so many files takes longer than copying them.
      const count = Math.max(4, Math.round((quick ? 80 : 200) * contents.scale));
      return copyMany({ id, title }, { count, atOnce, rounds }, lab, contents);
    },
  };
}

/**
 * @param {{ id: string, title: string }} named
 * @param {{ count: number, atOnce: number, rounds: number }} extent
 * @param {Lab} lab
 * @param {Contents} contents
 * @returns {Promise<import("./contest.mjs").ContestResult>}
 */
async function copyMany(named, { count, atOnce, rounds }, lab, contents) {
  const folder = lab.newFolder("small");
  const pairs = Array.from({ length: count }, (_, number) => ({
    source: path.join(folder, `source-${number}.img`),
    target: path.join(folder, `target-${number}.img`),
  }));
  const random = contents.random(named.id);
  for (const { source } of pairs) writeFileSync(source, random.bytes(volumeSize));
  const list = path.join(folder, "list");
  writeFileSync(list, pairs.map(({ source, target }) => `${source}\n${target}\n`).join(""));

  const qemuImg = "qemu-img";
  const commands = [
    {
      name: "blockhaul library",
      settings: "copyVolume() for each, in one process; default settings, targets are new",
      steps: (/** @type {string} */ state) => [
        { command: [process.execPath, library, list, String(atOnce), state] },
      ],
    },
    {
      name: qemuImg,
      settings: `\`${convert}\`; of many volumes, a process for each, by xargs`,
      steps: () => [
        {
          command: ["xargs", "-a", list, "-n", "2", "-P", String(atOnce), ...convert.split(" ")],
        },
      ],
    },
  ];
  const turn = async (/** @type {Command} */ contestant) => {
    if (contestant.name === qemuImg) {
      for (const { target } of pairs) {
        writeFileSync(target, "");
        truncateSync(target, volumeSize);
      }
    }
    const state = lab.newFolder("run");
    const evict = pairs.flatMap(({ source, target }) => [source, target]);
    const steps = contestant.steps(state);
    const measured = await measure(steps, { folder: state, signal: lab.signal, evict });
    for (const { source, target } of pairs) {
      const original = { path: source, size: volumeSize, data: volumeSize };
      await check(lab, original, placeOf(target, volumeSize));
      rmSync(target);
    }
    rmSync(state, { recursive: true });
    return measured;
  };
  try {
    const entries = await entriesOf(commands, rounds, turn);
    return { ...named, gib: (count * volumeSize) / 2 ** 30, librbd: false, entries };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Each run takes a fraction of a second: many give a steadier median. */
const startUpsInARound = 4;

/** @type {Contest} */
const startUp = {
  id: "start/file-file",
  title: "start-up",
  quick: true,
  async hold(lab, contents, { rounds }) {
    const original = await contents.original("tiny");
    const target = path.join(lab.folder, "tiny-copy.img");
    const copies = (/** @type {string} */ state) => [
      ...command,
      "copy",
      "--quiet",
      "--state-dir",
      path.join(state, "state"),
      original.path,
      target,
    ];
    /** @type {Command[]} */
    const commands = [
      {
        name: "blockhaul copy",
        settings: "of 1 MiB, to a new file",
        steps: (state) => [{ command: copies(state) }],
      },
      {
        name: "blockhaul --version",
        settings: "nothing is copied",
        steps: () => [{ command: [...command, "--version"] }],
      },
      {
        name: "node -e 0",
        settings: "what Node itself takes",
        steps: () => [{ command: [process.execPath, "-e", "0"] }],
      },
    ];
    const turn = async (/** @type {Command} */ contestant) => {
      const state = lab.newFolder("run");
      const steps = contestant.steps(state);
      const measured = await measure(steps, { folder: state, signal: lab.signal, evict: [] });
      if (contestant.name === "blockhaul copy") {
        await check(lab, original, placeOf(target, original.size));
        rmSync(target);
      }
      rmSync(state, { recursive: true });
      return measured;
    };
    const entries = await entriesOf(commands, rounds * startUpsInARound, turn);
    return { id: this.id, title: this.title, gib: 0, librbd: false, entries };
  },
};

/**
 * @param {readonly Command[]} commands
 * @param {number} rounds
 * @param {(command: Command) => Promise<import("./measure.mjs").Measurement>} turn
 */
async function entriesOf(commands, rounds, turn) {
  const results = await alternate(commands, rounds, turn);
  return commands.map(({ name, settings }) => ({ name, settings, runs: results.get(name) ?? [] }));
}

/**
 * @param {string} file
 * @param {number} size
 * @returns {import("./ends/end.mjs").Place}
 */
function placeOf(file, size) {
  return { kind: "file", path: file, size, conf: "", cached: [file] };
}
