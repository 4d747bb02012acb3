/** Options that several commands have, with one meaning. */
import type { OptionSpec } from "./options.js";

export const QUIET_AND_VERBOSE = [
  { name: "quiet", short: "q", kind: "flag", help: "print errors only" },
  { name: "verbose", short: "v", kind: "flag", help: "say more; of an error, its code and causes" },
] as const satisfies readonly OptionSpec[];

export const JSON_LINES = {
  name: "json",
  kind: "flag",
  help: "print one JSON object a line, each with a `type`",
} as const satisfies OptionSpec;

export const PROGRESS = {
  name: "progress",
  kind: "choice",
  choices: ["auto", "bar", "plain", "json", "none"],
  environment: "BLOCKHAUL_PROGRESS",
  help: "how to show it, on stderr (auto: a bar on a terminal, else a line now and then)",
} as const satisfies OptionSpec;

/** How much is under way at once. */
const WINDOW = [
  {
    name: "requests",
    kind: "count",
    range: { least: 1, most: 4096 },
    environment: "BLOCKHAUL_REQUESTS",
    help: "requests in flight at the most, up to 4096 (as the memory allows, up to 64)",
  },
  {
    name: "request-size",
    kind: "size",
    range: { least: 64 * 1024, most: 4 * 1024 ** 2 },
    powerOfTwo: true,
    environment: "BLOCKHAUL_REQUEST_SIZE",
    help: "bytes of a request, a power of two from 64KiB to 4MiB (2MiB)",
  },
  {
    name: "memory",
    kind: "size",
    environment: "BLOCKHAUL_MEMORY",
    help: "all buffers together (32MiB; to read only, 16MiB)",
  },
  {
    name: "threads",
    kind: "count",
    range: { least: 1, most: 64 },
    environment: "BLOCKHAUL_THREADS",
    help: "threads that drive requests, up to 64 (1)",
  },
] as const satisfies readonly OptionSpec[];

/** How the engine copies. */
export const ENGINE = [
  ...WINDOW,
  {
    name: "no-extents",
    kind: "flag",
    environment: "BLOCKHAUL_NO_EXTENTS",
    help: "read all of the source, without asking where it holds data",
  },
] as const satisfies readonly OptionSpec[];

/** How volumes are read for their digests: what is to prove something asks for no hints. */
export const READING_ENGINE = [
  ...WINDOW,
  {
    name: "fast",
    kind: "flag",
    help: "read only where a volume says that it holds data; what it says wrongly is not found then",
  },
] as const satisfies readonly OptionSpec[];

export const LIMITS = [
  {
    name: "bwlimit",
    kind: "size",
    environment: "BLOCKHAUL_BWLIMIT",
    help: "bytes a second at the most; 0: no limit",
  },
  {
    name: "iops-limit",
    kind: "count",
    range: { least: 0, most: 999_999_999 },
    environment: "BLOCKHAUL_IOPS_LIMIT",
    help: "requests to the source a second at the most; 0: no limit",
  },
] as const satisfies readonly OptionSpec[];

const FAILING = "When storage fails";

/** What is borne before an error ends it. */
export const PATIENCE = [
  {
    name: "retries",
    kind: "count",
    range: { least: 0, most: 1000 },
    environment: "BLOCKHAUL_RETRIES",
    heading: FAILING,
    help: "how often a request is made once more that met something that may pass (5)",
  },
  {
    name: "request-timeout",
    kind: "seconds",
    environment: "BLOCKHAUL_REQUEST_TIMEOUT",
    heading: FAILING,
    help: "how long one request may take; 0: for ever (300)",
  },
  {
    name: "stall-timeout",
    kind: "seconds",
    environment: "BLOCKHAUL_STALL_TIMEOUT",
    heading: FAILING,
    help: "how long nothing at all may move; 0: for ever (300)",
  },
] as const satisfies readonly OptionSpec[];

export const SALVAGE = {
  name: "salvage",
  kind: "flag",
  heading: FAILING,
  help: "what cannot be read of the source becomes zeros, and is listed; the exit code is then 7",
} as const satisfies OptionSpec;

const PROOF = "Proof";

export const VERIFY = [
  {
    name: "verify",
    kind: "flag",
    choices: ["source"],
    environment: "BLOCKHAUL_VERIFY",
    heading: PROOF,
    help: "read the target back afterwards, and compare it with what was read from the source; --verify=source reads all of the source again, too",
  },
  {
    name: "repair",
    kind: "flag",
    heading: PROOF,
    help: "verify, write what differs once more, and compare that again",
  },
] as const satisfies readonly OptionSpec[];

export const MANIFEST = {
  name: "manifest",
  kind: "text",
  placeholder: "FILE",
  heading: PROOF,
  help: "write down what was copied, for `blockhaul verify VOLUME --manifest FILE`",
} as const satisfies OptionSpec;

export const STATE_DIR = {
  name: "state-dir",
  kind: "text",
  placeholder: "DIR",
  environment: "BLOCKHAUL_STATE_DIR",
  help: "where journals are kept (/var/lib/blockhaul; without root ~/.local/state/blockhaul)",
} as const satisfies OptionSpec;

export const CONFIG = {
  name: "config",
  kind: "text",
  placeholder: "FILE",
  environment: "BLOCKHAUL_CONFIG",
  help: "the configuration, which names backends (blockhaul.yaml here, the user's and the host's)",
} as const satisfies OptionSpec;
