/** Copies in a guest whose power is cut again and again, until they are done; then the targets are compared. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, expect, inject, it } from "vitest";

import { recordCount } from "../../scripts/lib/results.mjs";
import { runGuest } from "./guest/machine/machine.mjs";
import { losePower, makeVolatile } from "./guest/machine/power-cut.mjs";
import { allowedCpus } from "./guest/machine/quietest-cpu.mjs";
import { itWhere } from "./needs.js";
import { Random, testSeed } from "./random.js";
import { Workspace } from "./workspace.js";

const MiB = 1024 ** 2;
const program = fileURLToPath(new URL("../guest/fixtures/power-cut.mjs", import.meta.url));
/** A copy takes some 3 s alone, and what is not flushed has to be done again. */
const mostBoots = 30;
const longestRunMs = 2000;

/** What the guest says of a moment; the power is cut some time later. */
const moments: Readonly<Record<"begun" | "moving" | "finished", readonly string[]>> = {
  begun: ["copy", "resume"],
  moving: ["job", "resumed"],
  finished: [],
};

interface Fact {
  readonly type: string;
  readonly target?: string;
  readonly [more: string]: unknown;
}

export interface PowerCutOptions {
  /** Of the file target. */
  readonly fileSystem: "ext4" | "xfs";
  /** Rounds begin until there were so many; BLOCKHAUL_TEST_POWER_CUTS overrides it. */
  readonly cuts: number;
}

/** What was done, over all rounds. */
interface PowerCutCounts {
  /** While a copy ran, begun or resumed. */
  cuts: number;
  /** Of those: while a resume ran. */
  inResume: number;
  /** When both copies were done: all that was not flushed then is lost. */
  afterTheEnd: number;
  /** Blocks that the disks had not flushed, and how many of them were taken back. */
  unflushed: number;
  lost: number;
}

export function testPowerCuts({ fileSystem, cuts }: PowerCutOptions): void {
  const missing = inject("whyNoGuest");
  if (missing !== null) {
    itWhere(`no guest can run here: ${missing}`)("power cuts");
    return;
  }
  const wanted = Number(process.env.BLOCKHAUL_TEST_POWER_CUTS ?? cuts);
  const workspace = new Workspace();
  afterAll(() => workspace[Symbol.dispose]());

  it(
    `${wanted} power cuts and more, then the same bytes on ${fileSystem} and on a device`,
    async () => {
      const disks = new Disks(workspace, fileSystem);
      const random = new Random(`power cuts/${fileSystem}`);
      const counts = { cuts: 0, inResume: 0, afterTheEnd: 0, unflushed: 0, lost: 0 };
      const bootIds = new Set<unknown>();
      let round = 0;
      while (counts.cuts < wanted) {
        disks.beginRound(random);
        await new Round(disks, random, counts, bootIds, ++round).run(round > 1);
        // The device as the disk holds it, the last cut behind it; the file is compared in the next guest.
        const compared = spawnSync("cmp", ["-n", String(disks.fullSize), disks.full, disks.block]);
        expect(compared.status, `${compared.stdout}${compared.stderr} ${seed()}`).toBe(0);
      }
      await new Round(disks, random, counts, bootIds, round).compareOnly();
      process.stdout.write(`${fileSystem}: ${JSON.stringify({ ...counts, rounds: round })}\n`);
      expect(counts.inResume).toBeGreaterThan(0);
      expect(counts.lost).toBeGreaterThan(0);
      recordCount(`power-cuts-${fileSystem}`, {
        what: `power cuts of a guest in mid-copy, unflushed blocks lost, ${fileSystem}`,
        count: counts.cuts,
        command: "npm run test:long -- power-cuts",
      });
    },
    wanted * 60_000,
  );
}

function seed(): string {
  return `(BLOCKHAUL_TEST_SEED=${testSeed})`;
}

class Disks {
  readonly images: readonly string[];
  readonly full: string;
  readonly block: string;
  readonly fullSize = 20 * MiB;

  constructor(workspace: Workspace, fileSystem: "ext4" | "xfs") {
    const sources = workspace.path("sources");
    const random = new Random(`power cuts/${fileSystem}/sources`);
    mkdirSync(sources);
    this.full = `${sources}/full.img`;
    writeFileSync(this.full, random.bytes(this.fullSize));
    // More than what a resume reads back when the host was not started anew: its beginning has to hold by itself.
    writeParts(`${sources}/holes.img`, 320 * MiB, [
      [0, random.bytes(8 * MiB)],
      [306 * MiB, random.bytes(12 * MiB)],
    ]);
    const keep = sparse(workspace.path("keep.disk"), 128 * MiB);
    execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-d", sources, keep], { stdio: "pipe" });
    this.block = sparse(workspace.path("block.disk"), 32 * MiB);
    const files = sparse(workspace.path("files.disk"), 1024 * MiB);
    execFileSync(`mkfs.${fileSystem}`, ["-q", files]);
    this.images = [keep, this.block, files];
    for (const image of this.images) makeVolatile(image);
  }

  /** What an earlier round left on the block target would hide what this one did not write. */
  beginRound(random: Random): void {
    writeFileSync(this.block, random.bytes(32 * MiB));
  }
}

function sparse(file: string, size: number): string {
  writeFileSync(file, "");
  truncateSync(file, size);
  return file;
}

function writeParts(file: string, size: number, parts: readonly [number, Buffer][]): void {
  sparse(file, size);
  const open = openSync(file, "r+");
  for (const [offset, bytes] of parts) writeSync(open, bytes, 0, bytes.length, offset);
  closeSync(open);
}

/** The boots of one round, each of them cut. */
class Round {
  readonly #jobs = new Set<string>();

  readonly disks: Disks;
  readonly random: Random;
  readonly counts: PowerCutCounts;
  readonly bootIds: Set<unknown>;
  readonly number: number;

  constructor(
    disks: Disks,
    random: Random,
    counts: PowerCutCounts,
    bootIds: Set<unknown>,
    number: number,
  ) {
    this.disks = disks;
    this.random = random;
    this.counts = counts;
    this.bootIds = bootIds;
    this.number = number;
  }

  async run(comparesLast: boolean): Promise<void> {
    for (let boot = 1; boot <= mostBoots; boot++) {
      const args = [String(this.number)];
      if (boot === 1 && comparesLast) args.push(String(this.number - 1));
      // Now and then while the journal is made, or while a resume reads back; else while bytes are moved.
      const cutAt = this.random.chance(0.3) ? "begun" : "moving";
      const facts = await this.#boot(args, cutAt, this.random.below(longestRunMs));
      const ran = facts.some(({ type }) => type === "copy" || type === "resume");
      const isDone = facts.some(({ type }) => type === "finished");
      if (ran && !isDone) {
        this.counts.cuts++;
        if (facts.some(({ type }) => type === "resume")) this.counts.inResume++;
      }
      if (!isDone) continue;
      this.counts.afterTheEnd++;
      return;
    }
    throw new Error(`not done after ${mostBoots} boots ${seed()}`);
  }

  async compareOnly(): Promise<void> {
    await this.#boot(["none", String(this.number)], "finished", 0);
  }

  /** One guest, whose power is cut some time after it runs, or at once when it is done. */
  async #boot(args: readonly string[], cutAt: keyof typeof moments, afterMs: number) {
    const power = new AbortController();
    const facts: Fact[] = [];
    let rest = "";
    const cpus = allowedCpus();
    const end = await runGuest([process.execPath, program, ...args], {
      memoryMiB: 384,
      images: this.disks.images,
      timeLimitS: 600,
      cpu: cpus[Number(process.env.VITEST_POOL_ID ?? 1) % cpus.length] ?? 0,
      powerCut: power.signal,
      onOutput: (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const fact = parseFact(line);
          facts.push(fact);
          if (fact.type === "finished") power.abort();
          else if (moments[cutAt].includes(fact.type)) setTimeout(() => power.abort(), afterMs);
        }
      },
    });
    this.#lose();
    const said = `${seed()}\n${facts.map((fact) => JSON.stringify(fact)).join("\n")}\n${end.output}\n${end.console}`;
    expect(end.how, said).toBe("its power was cut");
    this.#check(facts, said);
    return facts;
  }

  #lose(): void {
    const share = this.random.pick([0, 0.1, 0.5, 0.9, 1]);
    const random = () => this.random.below(2 ** 30) / 2 ** 30;
    for (const image of this.disks.images) {
      const blockSize = image === this.disks.block ? 512 : 4096;
      const { unflushed, lost } = losePower(image, { random, share, blockSize });
      this.counts.unflushed += unflushed;
      this.counts.lost += lost;
    }
  }

  #check(facts: readonly Fact[], said: string): void {
    const failed = facts.filter(({ type, same }) => type === "failed" || same === false);
    expect(failed, said).toEqual([]);
    const mounted = facts.find(({ type }) => type === "mounted");
    expect(this.bootIds.has(mounted?.bootId), `a boot id twice ${said}`).toBe(false);
    this.bootIds.add(mounted?.bootId);
    for (const { type, target } of facts) {
      // A journal that was there once is there after every cut.
      if (type === "copy") expect([...this.#jobs], said).not.toContain(target);
      if (type === "job") this.#jobs.add(String(target));
    }
  }
}

function parseFact(line: string): Fact {
  try {
    return JSON.parse(line);
  } catch {
    return { type: "said", text: line };
  }
}
