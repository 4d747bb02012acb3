/** Readers of the kernel's tables of mounts and swap: proc_pid_mountinfo(5), proc_swaps(5). */

export interface Mount {
  /** "8:17", or of a file system without a device of its own one that nothing else knows. */
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  /** "/dev/sdb1", or whatever the file system calls what it was made from. */
  readonly source: string;
  /** Nobody can write through any mount of this file system. */
  readonly readOnly: boolean;
}

export interface Swap {
  readonly path: string;
  readonly type: string;
}

/** Lines that are none are left out. */
export function parseMountInfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    // Behind any number of optional fields.
    const dash = fields.indexOf("-", 6);
    const [device, mountPoint] = [fields[2], fields[4]];
    const [type, source, options] = dash < 0 ? [] : fields.slice(dash + 1);
    if (device === undefined || mountPoint === undefined || !/^\d+:\d+$/.test(device)) return [];
    if (type === undefined || source === undefined) return [];
    const readOnly = (options ?? "").split(",").includes("ro");
    return [
      { device, mountPoint: decodeOctal(mountPoint), type, source: decodeOctal(source), readOnly },
    ];
  });
}

/** Lines that are none, as the heading, are left out. */
export function parseSwaps(text: string): Swap[] {
  return text.split("\n").flatMap((line) => {
    const [path, type, size] = line.split(/[ \t]+/);
    if (path === undefined || type === undefined || !/^\d+$/.test(size ?? "")) return [];
    return [{ path: decodeOctal(path), type }];
  });
}

/** Spaces, tabs, newlines and backslashes stand there in octal; beyond that, bytes are UTF-8. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
