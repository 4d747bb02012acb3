/** Every command. What a command does is imported only when it is run. */
import { type CommandSpec, defineCommand } from "./command.js";
import {
  abortOptions,
  completionOptions,
  configOptions,
  copyOptions,
  digestOptions,
  infoOptions,
  jobsOptions,
  listingOptions,
  listOptions,
  mapOptions,
  migrateOptions,
  refOptions,
  resumeOptions,
  targetsOptions,
  verifyOptions,
} from "./command-options.js";

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
      "a flag that allows it, and --dry-run says what was found. A journal is kept meanwhile: what is cut " +
      "short goes on with `blockhaul resume`. - is standard input or output; a pipe that ends before --size, or before " +
      "the target's end, was cut short and is an error.",
    arguments: [
      { name: "source", kind: "ref", help: "what to read: a path, a ref, or -" },
      { name: "target", kind: "ref", help: "what to write: a path, a ref, or -" },
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
      ["blockhaul copy --verify disk.img /dev/sdb", "and read the target back"],
      ["blockhaul copy rbd:vms/disk-1@before - | zstd > disk-1.zst", "into a pipe"],
      [
        "zstd -dc disk-1.zst | blockhaul copy --create --size 10GiB - rbd:vms/disk-2",
        "and out of one",
      ],
      ["blockhaul copy --salvage /dev/sdc rescued.img", "what can still be read of a failing disk"],
    ],
    load: async () => (await import("./copy.js")).runCopy,
  }),
  defineCommand({
    name: "migrate",
    summary: "move a volume to a backend, from the plan to the hand-over",
    description:
      "Makes the target under a temporary name, freezes the source (by a snapshot where its storage takes " +
      "any), copies, reads the target back, and hands over: only then the target gets its name. The " +
      "source is kept unless told. Where storage can make the copy on its own, it does, which the report says. Every " +
      "step is written down before it is taken: what is cut short goes on with `blockhaul resume`, or back " +
      "with `blockhaul abort`. Backends are named in blockhaul.yaml.",
    arguments: [
      {
        name: "source",
        kind: "ref",
        help: "what to move: BACKEND:VOLUME, a path or a ref",
        optional: true,
      },
      {
        name: "target",
        kind: "ref",
        help: "where to: BACKEND, BACKEND:NAME, or any ref",
        optional: true,
      },
    ],
    options: migrateOptions,
    examples: [
      [
        "blockhaul migrate san1:0 ceph-ssd:disk-1",
        "an iSCSI LUN to a new image of the backend ceph-ssd",
      ],
      [
        "blockhaul migrate --dry-run images:web ceph-ssd",
        "what would be done, and what is in the way",
      ],
      [
        "blockhaul migrate --rename --delete-source images:web.img rbd:vms/web.img",
        "and the source goes",
      ],
      [
        "blockhaul migrate --with-snapshots rbd:a/x rbd:b/x:conf=/etc/ceph/b.conf",
        "with its history",
      ],
      [
        "blockhaul migrate --before-copy /usr/local/bin/stop-vm images:web ceph-ssd",
        "quiet it first",
      ],
      ["blockhaul migrate --plan plan.yaml", "many, side by side"],
    ],
    load: async () => (await import("./migrate.js")).runMigrate,
  }),
  defineCommand({
    name: "abort",
    summary: "take a migration back: the source is what it was, and the target is gone",
    description:
      "Gives names back, and removes the target that was made, the snapshot that was taken and what is left " +
      "attached. It can be run again. A migration that is done, or whose source is being removed, has no way back.",
    arguments: [{ name: "job", kind: "job", help: "its id, or the beginning of it" }],
    options: abortOptions,
    examples: [["blockhaul abort k3v9q2ab", "`blockhaul jobs` shows the ids"]],
    load: async () => (await import("./abort.js")).runAbort,
  }),
  defineCommand({
    name: "resume",
    summary: "go on with a copy or a migration that was cut short",
    description:
      "Opens both volumes of the job, looks whether they are what they were, reads the last of what is " +
      "recorded back from both, and copies the rest; a migration goes on to its end. What is not named is as it " +
      "was told to `copy` or `migrate`.",
    arguments: [{ name: "job", kind: "job", help: "its id, or the beginning of it" }],
    options: resumeOptions,
    examples: [
      ["blockhaul resume k3v9q2ab", "`blockhaul jobs` shows the ids"],
      ["blockhaul resume --repair k3", "read the target back at the end, and mend what differs"],
    ],
    load: async () => (await import("./resume.js")).runResume,
  }),
  defineCommand({
    name: "jobs",
    summary: "copies that run, were cut short, failed or are done",
    description:
      "Alone it lists them. `show JOB` says all of one. `rm JOB...` forgets jobs; their targets stay as they " +
      "are. `throttle JOB RATE` limits one that runs to so many bytes a second (0 or none: no limit), " +
      "`pause JOB` has it begin nothing new, `continue JOB` ends that. With -q it lists ids alone. What is done " +
      "goes from the list by itself: after 90 days, and of many copies all but the last 200.",
    arguments: [
      {
        name: "action",
        kind: "choice",
        choices: ["show", "rm", "throttle", "pause", "continue"],
        optional: true,
        help: "what to do: show, rm, throttle, pause or continue (list them)",
      },
      {
        name: "job",
        kind: "job",
        optional: true,
        variadic: true,
        help: "ids, or the beginnings of them",
      },
    ],
    options: jobsOptions,
    examples: [
      ["blockhaul jobs", "ids, states, and how far they are"],
      ["blockhaul jobs show k3v9q2ab", "what it is, why it failed, how to go on"],
      ["blockhaul jobs throttle k3 200MiB --iops 500", "slower, from now on"],
      ["blockhaul jobs throttle k3 none", "as fast as it goes"],
      ["blockhaul jobs rm --done", "forget what is done"],
    ],
    load: async () => (await import("./jobs.js")).runJobs,
  }),
  defineCommand({
    name: "verify",
    summary: "compare two volumes, or a volume with a manifest",
    description:
      "Reads both and compares them chunk by chunk; of a target that is larger, its start. Names the places " +
      "that differ, in chunks of 4 MiB, and exits with 6. Nobody may write to either meanwhile.",
    arguments: [
      { name: "source", kind: "ref", help: "a path or a ref" },
      { name: "target", kind: "ref", optional: true, help: "another; or give --manifest" },
    ],
    options: verifyOptions,
    examples: [
      ["blockhaul verify disk.img rbd:vms/disk-1", "are these the same bytes?"],
      [
        "blockhaul verify rbd:vms/disk-1 --manifest disk.manifest",
        "is it still what `copy --manifest disk.manifest` wrote?",
      ],
    ],
    load: async () => (await import("./verify.js")).runVerify,
  }),
  defineCommand({
    name: "digest",
    summary: "the digest of a volume's bytes, as `copy` prints it",
    description:
      "The same bytes have the same digest, wherever they lie. It is a digest of a tree of pieces, not of " +
      "the stream: `sha256:` is not what sha256sum prints.",
    arguments: [VOLUME],
    options: digestOptions,
    examples: [
      ["blockhaul digest disk.img", "by xxh3, at the speed of the disk"],
      ["blockhaul digest -q --digest sha256 /dev/vg0/disk-1", "nothing but the digest"],
    ],
    load: async () => (await import("./digest.js")).runDigest,
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
    name: "list",
    summary: "the volumes of a backend and its room; or the backends",
    description:
      "Names, sizes and what is allocated, where the driver of the backend can list its volumes. Without a " +
      "backend, the backends that blockhaul.yaml names. With -q it prints names alone, a line each: a " +
      "control character in one stands there as \\x0a or \\u202e, and a backslash twice, so that bash's " +
      "`printf %b` gives the name back.",
    arguments: [
      { name: "backend", kind: "backend", optional: true, help: "its name (list the backends)" },
    ],
    options: listOptions,
    examples: [
      ["blockhaul list", "the backends, their drivers, places and limits"],
      ["blockhaul list ceph-ssd", "the volumes of one, and how much room there is"],
    ],
    load: async () => (await import("./list.js")).runList,
  }),
  defineCommand({
    name: "config",
    summary: "check and show blockhaul.yaml, which names backends",
    description:
      "`check` reads the configuration and prints everything that is wrong with it, with lines and columns. " +
      "`show` prints the settings of all its files together, and which files were looked for.",
    arguments: [
      {
        name: "action",
        kind: "choice",
        choices: ["check", "show"],
        help: "what to do: check or show",
      },
    ],
    options: configOptions,
    examples: [
      ["blockhaul config check", "exits with 2 where there are faults, and prints each"],
      ["blockhaul config show --origin", "where each setting comes from"],
      ["blockhaul config check --config new.yaml", "before it is put in place"],
    ],
    load: async () => (await import("./config.js")).runConfig,
  }),
  defineCommand({
    name: "attach",
    summary: "make an exported volume a block device of this host, and keep it so",
    description:
      "Logs in, finds the device, checks what it is, and says its path. It stays until `detach`. `copy` " +
      "attaches by itself what it needs, and detaches it again.",
    arguments: [VOLUME],
    options: refOptions,
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
    options: refOptions,
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
