/** The options of every command, as tables: help, parsing and completion are made from them. */
import {
  CONFIG,
  ENGINE,
  JSON_LINES,
  LIMITS,
  MANIFEST,
  PATIENCE,
  PROGRESS,
  QUIET_AND_VERBOSE,
  READING_ENGINE,
  SALVAGE,
  STATE_DIR,
  VERIFY,
} from "./common-options.js";
import { creationOptions } from "./creation-options.js";
import { guardOptions } from "./guard-options.js";
import type { OptionSpec } from "./options.js";

const JOURNAL = "The journal, by which `blockhaul resume` goes on";

export const listingOptions = [
  JSON_LINES,
  ...QUIET_AND_VERBOSE,
] as const satisfies readonly OptionSpec[];

/** Of commands that take a ref and little else. */
export const refOptions = [CONFIG, ...listingOptions] as const satisfies readonly OptionSpec[];

/** Of commands that read whole volumes for their digests. */
const READING = [
  ...READING_ENGINE,
  ...LIMITS,
  PROGRESS,
  ...refOptions,
  ...PATIENCE,
] as const satisfies readonly OptionSpec[];

const STREAM_SIZE = {
  name: "size",
  kind: "size",
  help: "of a pipe: the bytes that will come (as many as what it is compared with has)",
} as const satisfies OptionSpec;

const FIX_GPT = {
  name: "fix-gpt",
  kind: "flag",
  help: "at the end, move the backup of a GPT to the end of a larger target",
} as const satisfies OptionSpec;

export const copyOptions = [
  {
    name: "create",
    kind: "flag",
    help: "make the target, at the source's size or --size; it must not exist yet",
  },
  {
    name: "size",
    kind: "size",
    help: "with --create: the target's size (the source's); of a source that is a pipe: the bytes that will come",
  },
  {
    name: "snapshot",
    kind: "flag",
    help: "read a snapshot of the source, which is taken now and removed afterwards",
  },
  ...ENGINE,
  {
    name: "digest",
    kind: "choice",
    choices: ["xxh3", "sha256", "none"],
    environment: "BLOCKHAUL_DIGEST",
    help: "of the source's content (xxh3)",
  },
  ...LIMITS,
  {
    name: "dry-run",
    short: "n",
    kind: "flag",
    help: "print the plan after all checks that need no change; change nothing",
  },
  PROGRESS,
  ...refOptions,
  ...guardOptions,
  ...VERIFY,
  MANIFEST,
  FIX_GPT,
  ...PATIENCE,
  SALVAGE,
  {
    name: "resume",
    kind: "flag",
    heading: JOURNAL,
    help: "go on with a copy between the same two volumes that was cut short, where there is one",
  },
  {
    name: "no-journal",
    kind: "flag",
    environment: "BLOCKHAUL_NO_JOURNAL",
    heading: JOURNAL,
    help: "keep none; a copy that is cut short has to be done again. A --snapshot has none either",
  },
  { ...STATE_DIR, heading: JOURNAL },
  {
    name: "checkpoint-interval",
    kind: "seconds",
    environment: "BLOCKHAUL_CHECKPOINT_INTERVAL",
    heading: JOURNAL,
    help: "how often the target is flushed and what is done written down (5)",
  },
  ...creationOptions,
] as const satisfies readonly OptionSpec[];

export const infoOptions = [
  {
    name: "no-usage",
    kind: "flag",
    help: "do not look how much of it is allocated, which may take a while",
  },
  ...refOptions,
] as const satisfies readonly OptionSpec[];

export const mapOptions = [
  { name: "offset", kind: "size", help: "begin here (0)" },
  { name: "length", kind: "size", help: "of the range (to the end)" },
  { name: "summary", kind: "flag", help: "only the totals" },
  ...refOptions,
] as const satisfies readonly OptionSpec[];

export const configOptions = [
  {
    name: "origin",
    kind: "flag",
    help: "show: say of each value in which file and line it stands",
  },
  ...refOptions,
] as const satisfies readonly OptionSpec[];

export const listOptions = [
  CONFIG,
  JSON_LINES,
  { name: "quiet", short: "q", kind: "flag", help: "print names only" },
  { name: "verbose", short: "v", kind: "flag", help: "say more of an error" },
] as const satisfies readonly OptionSpec[];

export const targetsOptions = [
  { name: "user", kind: "text", placeholder: "USER", help: "the CHAP user to ask as" },
  {
    name: "secret-file",
    kind: "text",
    placeholder: "PATH",
    help: "its secret, in a file that only you can read [or BLOCKHAUL_CHAP_SECRET]",
  },
  {
    name: "target-user",
    kind: "text",
    placeholder: "USER",
    help: "the CHAP user that the portal has to prove to be",
  },
  {
    name: "target-secret-file",
    kind: "text",
    placeholder: "PATH",
    help: "its secret [or BLOCKHAUL_CHAP_TARGET_SECRET]",
  },
  ...listingOptions,
] as const satisfies readonly OptionSpec[];

export const verifyOptions = [
  {
    name: "manifest",
    kind: "text",
    placeholder: "FILE",
    help: "compare with what this manifest says, in place of a target",
  },
  { name: "digest", kind: "choice", choices: ["xxh3", "sha256"], help: "to compare by (xxh3)" },
  STREAM_SIZE,
  ...READING,
] as const satisfies readonly OptionSpec[];

export const digestOptions = [
  { name: "digest", kind: "choice", choices: ["xxh3", "sha256"], help: "which one (xxh3)" },
  STREAM_SIZE,
  ...READING,
] as const satisfies readonly OptionSpec[];

const WHAT_BECOMES = "What becomes of the source and the target";
const HOOKS =
  "Hooks (a program's absolute path, or with arguments a JSON array; it is told what is going on as a line of JSON)";

export const migrateOptions = [
  {
    name: "plan",
    kind: "text",
    placeholder: "FILE",
    help: "many moves at once, as the file lists them; in place of a source and a target",
  },
  {
    name: "parallel",
    kind: "count",
    range: { least: 1, most: 64 },
    help: "plan: moves at once, in place of what the file says",
  },
  {
    name: "continue-on-error",
    kind: "flag",
    help: "plan: begin further moves after one has failed, but for those that depend on it",
  },
  {
    name: "dry-run",
    short: "n",
    kind: "flag",
    help: "print what would be done, and all that would be refused; change nothing",
  },
  {
    name: "delete-source",
    kind: "flag",
    heading: WHAT_BECOMES,
    help: "remove the source at the end, after a verification and one more look at it",
  },
  {
    name: "keep-source",
    kind: "flag",
    heading: WHAT_BECOMES,
    help: "keep it, which is done unless told",
  },
  {
    name: "rename",
    kind: "flag",
    heading: WHAT_BECOMES,
    help: "give the target the source's name, and set the source aside as NAME.moved-ID",
  },
  {
    name: "with-snapshots",
    kind: "flag",
    heading: WHAT_BECOMES,
    help: "carry the source's snapshots over, the oldest first",
  },
  {
    name: "provisioning",
    kind: "choice",
    choices: ["thin", "thick"],
    heading: WHAT_BECOMES,
    help: "of the target (as its backend makes volumes)",
  },
  {
    name: "size",
    kind: "size",
    heading: WHAT_BECOMES,
    help: "of the target, at least the source's (the source's)",
  },
  { ...FIX_GPT, heading: WHAT_BECOMES },
  {
    name: "method",
    kind: "choice",
    choices: ["auto", "copy"],
    help: "copy: move every byte, even where storage has a shorter way (auto)",
  },
  {
    name: "freeze",
    kind: "choice",
    choices: ["snapshot", "exclusive", "none"],
    help: "how the source is kept from changing (the best way that its storage knows)",
  },
  {
    name: "no-verify",
    kind: "flag",
    help: "do not read the target back",
  },
  {
    name: "before-copy",
    kind: "text",
    placeholder: "COMMAND",
    heading: HOOKS,
    help: "before the source is frozen: to quiet what uses it",
  },
  {
    name: "before-handover",
    kind: "text",
    placeholder: "COMMAND",
    heading: HOOKS,
    help: "when the target is complete, under its temporary name",
  },
  {
    name: "after-handover",
    kind: "text",
    placeholder: "COMMAND",
    heading: HOOKS,
    help: "when the target has its name, before a source is removed",
  },
  ...ENGINE,
  {
    name: "digest",
    kind: "choice",
    choices: ["xxh3", "sha256"],
    environment: "BLOCKHAUL_DIGEST",
    help: "of the source's content (xxh3)",
  },
  ...LIMITS,
  PROGRESS,
  ...refOptions,
  STATE_DIR,
  ...guardOptions,
  ...PATIENCE,
  ...creationOptions,
] as const satisfies readonly OptionSpec[];

export const abortOptions = [STATE_DIR, ...refOptions] as const satisfies readonly OptionSpec[];

export const resumeOptions = [
  {
    name: "keep-source",
    kind: "flag",
    help: "of a migration: do not remove the source, though it was told to",
  },
  {
    name: "method",
    kind: "choice",
    choices: ["copy"],
    help: "of a migration: move every byte, where storage's shorter way does not work",
  },
  STATE_DIR,
  {
    name: "fast",
    kind: "flag",
    help: "read back only the last 256MiB of what is recorded; what others wrote before that is not found then",
  },
  {
    name: "overwrite",
    kind: "flag",
    help: "the target is this copy's alone: copy again what it does not hold any more",
  },
  ...LIMITS,
  PROGRESS,
  ...refOptions,
  ...VERIFY,
  FIX_GPT,
  ...PATIENCE,
  SALVAGE,
  ...guardOptions,
] as const satisfies readonly OptionSpec[];

export const jobsOptions = [
  { name: "done", kind: "flag", help: "rm: all that are done, or that can never go on" },
  {
    name: "iops",
    kind: "count",
    range: { least: 0, most: 999_999_999 },
    help: "throttle: requests to the source a second; 0: no limit",
  },
  STATE_DIR,
  ...listingOptions,
] as const satisfies readonly OptionSpec[];

export const completionOptions = [...QUIET_AND_VERBOSE] as const satisfies readonly OptionSpec[];
