/** Every command and its options. What a command does is imported only when it is run. */
import { type CommandSpec, defineCommand } from "./command.js";
import { guardOptions } from "./guard-options.js";
import type { OptionSpec } from "./options.js";

const QUIET_AND_VERBOSE = [
  { name: "quiet", short: "q", kind: "flag", help: "print errors only" },
  { name: "verbose", short: "v", kind: "flag", help: "say more; of an error, its code and causes" },
] as const satisfies readonly OptionSpec[];

const JSON_LINES = {
  name: "json",
  kind: "flag",
  help: "print one JSON object a line, each with a `type`",
} as const satisfies OptionSpec;

const CREATING = "A new target (with --create)";

export const copyOptions = [
  {
    name: "create",
    kind: "flag",
    help: "make the target, at the source's size; it must not exist yet",
  },
  {
    name: "snapshot",
    kind: "flag",
    help: "read a snapshot of the source, which is taken now and removed afterwards",
  },
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
    help: "bytes of a request, a power of two from 64KiB to 4MiB (1MiB)",
  },
  {
    name: "memory",
    kind: "size",
    environment: "BLOCKHAUL_MEMORY",
    help: "all buffers together (64MiB)",
  },
  {
    name: "threads",
    kind: "count",
    range: { least: 1, most: 64 },
    environment: "BLOCKHAUL_THREADS",
    help: "threads that drive requests, up to 64 (1)",
  },
  {
    name: "no-extents",
    kind: "flag",
    environment: "BLOCKHAUL_NO_EXTENTS",
    help: "read all of the source, without asking where it holds data",
  },
  {
    name: "digest",
    kind: "choice",
    choices: ["xxh3", "sha256", "none"],
    environment: "BLOCKHAUL_DIGEST",
    help: "of the source's content (xxh3)",
  },
  {
    name: "bwlimit",
    kind: "size",
    environment: "BLOCKHAUL_BWLIMIT",
    help: "bytes a second at the most; 0: no limit",
  },
  {
    name: "dry-run",
    short: "n",
    kind: "flag",
    help: "print the plan after all checks that need no change; change nothing",
  },
  {
    name: "progress",
    kind: "choice",
    choices: ["auto", "bar", "plain", "json", "none"],
    environment: "BLOCKHAUL_PROGRESS",
    help: "how to show it, on stderr (auto: a bar on a terminal, else a line now and then)",
  },
  JSON_LINES,
  ...QUIET_AND_VERBOSE,
  ...guardOptions,
  {
    name: "object-size",
    kind: "size",
    range: { least: 4096, most: 32 * 1024 ** 2 },
    powerOfTwo: true,
    heading: CREATING,
    help: "rbd: bytes of an object, a power of two from 4KiB to 32MiB",
  },
  {
    name: "features",
    kind: "list",
    placeholder: "NAME,NAME",
    choices: [
      "layering",
      "striping",
      "exclusive-lock",
      "object-map",
      "fast-diff",
      "deep-flatten",
      "journaling",
    ],
    heading: CREATING,
    help: "rbd: the image's features",
  },
  {
    name: "data-pool",
    kind: "text",
    placeholder: "POOL",
    heading: CREATING,
    help: "rbd: the pool that takes the data",
  },
  {
    name: "stripe-unit",
    kind: "size",
    heading: CREATING,
    help: "rbd: bytes of a stripe's piece; goes with --stripe-count",
  },
  {
    name: "stripe-count",
    kind: "count",
    heading: CREATING,
    help: "rbd: objects that a stripe spans",
  },
  {
    name: "thin-pool",
    kind: "text",
    placeholder: "POOL",
    heading: CREATING,
    help: "lvm: make a thin volume in this pool of the group (a thick one)",
  },
] as const satisfies readonly OptionSpec[];

export const infoOptions = [
  {
    name: "no-usage",
    kind: "flag",
    help: "do not look how much of it is allocated, which may take a while",
  },
  JSON_LINES,
  ...QUIET_AND_VERBOSE,
] as const satisfies readonly OptionSpec[];

export const mapOptions = [
  { name: "offset", kind: "size", help: "begin here (0)" },
  { name: "length", kind: "size", help: "of the range (to the end)" },
  { name: "summary", kind: "flag", help: "only the totals" },
  JSON_LINES,
  ...QUIET_AND_VERBOSE,
] as const satisfies readonly OptionSpec[];

export const listingOptions = [
  JSON_LINES,
  ...QUIET_AND_VERBOSE,
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
  JSON_LINES,
  ...QUIET_AND_VERBOSE,
] as const satisfies readonly OptionSpec[];

export const completionOptions = [...QUIET_AND_VERBOSE] as const satisfies readonly OptionSpec[];

const VOLUME = { name: "volume", kind: "ref", help: "a path or a ref" } as const;

export const COMMANDS: readonly CommandSpec[] = [
  defineCommand({
    name: "copy",
    summary: "copy a volume to another",
    description:
      "Copies all of the source to the start of the target, and flushes it. The source must not be " +
      "written to meanwhile: copy a snapshot, or a volume that nobody uses. An image file that does " +
      "not exist is made; other targets are made with --create. A target that is mounted, held or watched " +
      "by somebody, lies on the disk of the running system, or carries a file system, a partition table " +
      "or another signature is refused, and so is a source that somebody may write to. Each of these has " +
      "a flag that allows it, and --dry-run says what was found.",
    arguments: [
      { name: "source", kind: "ref", help: "what to read: a path or a ref" },
      { name: "target", kind: "ref", help: "what to write: a path or a ref" },
    ],
    options: copyOptions,
    examples: [
      ["blockhaul copy disk.img /dev/vg0/disk-1", "an image file to a logical volume"],
      ["blockhaul copy --create disk.img rbd:vms/disk-1", "to a new image in the pool vms"],
      ["blockhaul copy rbd:vms/disk-1@before disk-1.img", "a snapshot to a sparse file"],
      ["blockhaul copy --bwlimit 100MiB rbd:a/x rbd:b/x:conf=/etc/ceph/b.conf", "between clusters"],
      ["blockhaul copy --dry-run disk.img /dev/sdb", "what is on the target, and who uses it"],
      ["blockhaul copy --allow-signature disk.img /dev/sdb", "over the file system that is on it"],
      ["blockhaul copy disk.img null:", "read it and print its digest"],
    ],
    load: async () => (await import("./copy.js")).runCopy,
  }),
  defineCommand({
    name: "info",
    summary: "what a volume is: size, identity, what it can do, how much is allocated",
    arguments: [VOLUME],
    options: infoOptions,
    examples: [
      ["blockhaul info rbd:vms/disk-1", "size, features and use of an image"],
      ["blockhaul info --json /dev/vg0/disk-1", "the same of a device, for a program"],
    ],
    load: async () => (await import("./info.js")).runInfo,
  }),
  defineCommand({
    name: "map",
    summary: "where a volume holds data, and where zeros or holes",
    arguments: [VOLUME],
    options: mapOptions,
    examples: [
      ["blockhaul map disk.img", "every extent, as a table"],
      ["blockhaul map --summary rbd:vms/disk-1", "the totals"],
      ["blockhaul map --json --offset 1GiB --length 64MiB disk.img", "a part of it, for a program"],
    ],
    load: async () => (await import("./map.js")).runMap,
  }),
  defineCommand({
    name: "attach",
    summary: "make an exported volume a block device of this host, and keep it so",
    description:
      "Logs in, finds the device, checks what it is, and says its path. It stays until `detach`. `copy` " +
      "attaches by itself what it needs, and detaches it again.",
    arguments: [VOLUME],
    options: listingOptions,
    examples: [
      ["blockhaul attach iscsi://10.0.0.1/iqn.2026-01.org.example:disk-1/1", "and say what came"],
      [
        "blockhaul attach -q iscsi://10.0.0.1,10.0.1.1/iqn.2026-01.org.example:disk-1/1",
        "over two portals; print the device alone",
      ],
      [
        "blockhaul attach 'iscsi://me@10.0.0.1/iqn.2026-01.org.example:a/1?secret-file=/etc/san1'",
        "with CHAP",
      ],
    ],
    load: async () => (await import("./attach.js")).runAttach,
  }),
  defineCommand({
    name: "detach",
    summary: "take a volume down again that `attach` made a device",
    arguments: [
      { name: "attachment", kind: "ref", help: "its id, or the ref that it was made for" },
    ],
    options: listingOptions,
    examples: [["blockhaul detach 3f0a9c1b22d4", "`blockhaul attachments` shows the ids"]],
    load: async () => (await import("./detach.js")).runDetach,
  }),
  defineCommand({
    name: "attachments",
    summary: "what is attached to this host by blockhaul, and what is left of killed processes",
    arguments: [],
    options: listingOptions,
    examples: [
      ["blockhaul attachments", "ids, states and devices"],
      ["blockhaul attachments -v", "and every step that was made for them"],
    ],
    load: async () => (await import("./attachments.js")).runAttachments,
  }),
  defineCommand({
    name: "targets",
    summary: "the iSCSI targets that a portal offers to this host, as refs",
    arguments: [{ name: "portal", kind: "ref", help: "HOST[:PORT], or [ADDRESS]:PORT for IPv6" }],
    options: targetsOptions,
    examples: [
      ["blockhaul targets 10.0.0.1", "each as a ref, with LUN where its number is to stand"],
      ["blockhaul targets --user me --secret-file /etc/san1 10.0.0.1", "where the portal asks who"],
    ],
    load: async () => (await import("./targets.js")).runTargets,
  }),
  defineCommand({
    name: "cleanup",
    summary: "undo what killed or failed processes left attached",
    description:
      "Finishes what was begun: devices, multipath maps, sessions, node records, exports and snapshots " +
      "of attachments that no living process answers for. What others made, what `attach` keeps, and " +
      "what is in use stays. It can be run as often as you like; exits with 7 where something is left.",
    arguments: [],
    options: listingOptions,
    examples: [["blockhaul cleanup", "after a crash, or at every boot"]],
    load: async () => (await import("./cleanup.js")).runCleanup,
  }),
  defineCommand({
    name: "drivers",
    summary: "the drivers, their refs and what they can do here",
    arguments: [],
    options: listingOptions,
    examples: [["blockhaul drivers", "every driver and the form of its refs"]],
    load: async () => (await import("./drivers.js")).runDrivers,
  }),
  defineCommand({
    name: "doctor",
    summary: "what this host offers, and what is missing",
    arguments: [],
    options: listingOptions,
    examples: [["blockhaul doctor", "exits with 8 where something that is needed is missing"]],
    load: async () => (await import("./doctor.js")).runDoctor,
  }),
  defineCommand({
    name: "completion",
    summary: "print a script that completes commands and options in a shell",
    arguments: [
      { name: "shell", kind: "choice", choices: ["bash", "zsh", "fish"], help: "which shell" },
    ],
    options: completionOptions,
    examples: [
      ["source <(blockhaul completion bash)", "in ~/.bashrc"],
      ["source <(blockhaul completion zsh)", "in ~/.zshrc, after compinit"],
      ["blockhaul completion fish > ~/.config/fish/completions/blockhaul.fish", "once"],
    ],
    load: async () => (await import("./completion.js")).runCompletion,
  }),
];
