/** Where the kernel tells of a host; elsewhere in tests. */
export interface HostFolders {
  readonly sysfs: string;
  readonly proc: string;
}

export const THIS_HOST: HostFolders = { sysfs: "/sys", proc: "/proc" };
