import {
  type Backend,
  backendStats,
  exactSize,
  findBackend,
  formatSize,
  listBackendNames,
  listVolumes,
  type PlaceStats,
  readConfig,
} from "../index.js";
import type { CommandContext, CommandRun } from "./command.js";
import type { listOptions } from "./command-options.js";
import type { OptionValues } from "./options.js";
import { alignTable } from "./table.js";

type Options = OptionValues<typeof listOptions>;

export const runList: CommandRun<typeof listOptions> = async ([name], options, context) => {
  if (name === undefined) await showBackends(options, context);
  // Who completes a ref gets a colon along.
  else await showVolumes(name.replace(/:$/, ""), options, context);
  return 0;
};

async function showBackends(options: Options, { stdout }: CommandContext): Promise<void> {
  const names = await listBackendNames();
  if (options.quiet && !options.json) {
    for (const name of names) stdout.name(name);
    return;
  }
  const rows: string[][] = [];
  for (const name of names) {
    const { driver, limits } = (await findBackend(name)) as Backend;
    const settings = await ownSettings(name);
    if (options.json) {
      stdout.json({ type: "backend", name, driver: driver.name, settings, limits });
    }
    rows.push([name, driver.name, settingsText(settings), limitsText(limits)]);
  }
  if (options.json) return;
  if (rows.length > 0) stdout.lines(alignTable(["backend", "driver", "place", "limits"], rows));
  else stdout.line("no backends: `blockhaul config show` says where they are looked for");
}

async function showVolumes(
  name: string,
  options: Options,
  { stdout }: CommandContext,
): Promise<void> {
  const volumes = await listVolumes(name);
  if (options.json) for (const volume of volumes) stdout.json({ type: "listed", ...volume });
  else if (options.quiet) for (const volume of volumes) stdout.name(volume.name);
  else if (volumes.length === 0) stdout.line("no volumes");
  else {
    stdout.lines(
      alignTable(
        ["name", ">size", ">allocated"],
        volumes.map(({ name, size, allocated }) => [
          name,
          formatSize(size),
          allocated === undefined ? "-" : formatSize(allocated),
        ]),
      ),
    );
  }
  if (options.quiet && !options.json) return;
  const room = await roomOf(name);
  if (room === undefined) return;
  if (options.json) stdout.json({ type: "room", ...room });
  else stdout.line(`free ${formatSize(room.free)} of ${formatSize(room.capacity)}`);
}

/** How much room there is, where the driver can tell. */
async function roomOf(name: string): Promise<PlaceStats | undefined> {
  const backend = await findBackend(name);
  return backend?.driver.supports.stats ? backendStats(name) : undefined;
}

/** What the configuration says of the place. */
async function ownSettings(name: string): Promise<Record<string, unknown>> {
  const { backends = {} } = (await readConfig()).settings as {
    backends?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
  const { driver: _, limits: __, ...own } = backends[name] ?? {};
  return own;
}

function settingsText(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(" ");
}

function limitsText({ parallel, bandwidth }: Backend["limits"]): string {
  const texts = [
    ...(parallel === undefined ? [] : [`${parallel} at once`]),
    ...(bandwidth === undefined || bandwidth === 0 ? [] : [`${exactSize(bandwidth)}/s each`]),
  ];
  return texts.length === 0 ? "-" : texts.join(", ");
}
