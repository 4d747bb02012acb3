import { writeFileSync } from "node:fs";
import { must } from "./exec.mjs";
import { loadModules } from "./host.mjs";

/** Added to LVM's own configuration, also for what a scenario tests: the guest's copy of it. */
const configuration = `
devices {
  types = [ "ubd", 16 ]
  use_devicesfile = 0
}
activation {
  monitoring = 0
}
backup {
  backup = 0
  archive = 0
}
`;

/** A volume group over fresh devices. */
export class VolumeGroup {
  /**
   * @param {string} name
   * @param {readonly string[]} devices
   */
  constructor(name, devices) {
    this.name = name;
    this.devices = devices;
  }

  /**
   * @param {string} name
   * @param {readonly string[]} devices "/dev/ubda", a loop device, …; what they hold is lost
   */
  static async create(name, devices) {
    writeFileSync("/etc/lvm/lvmlocal.conf", configuration);
    await loadModules("dm-mod", "dm-snapshot", "dm-thin-pool");
    await must("vgcreate", ["--yes", "-ff", name, ...devices]);
    return new VolumeGroup(name, devices);
  }

  /**
   * @param {string} name
   * @param {string} size as LVM has it: "64m"
   * @returns {Promise<string>} its device
   */
  async addVolume(name, size) {
    await must("lvcreate", ["--yes", "--wipesignatures", "n", "-L", size, "-n", name, this.name]);
    return this.device(name);
  }

  /**
   * @param {string} name
   * @param {string} size
   */
  async addThinPool(name, size) {
    await must("lvcreate", ["--yes", "--type", "thin-pool", "-L", size, "-n", name, this.name]);
  }

  /**
   * @param {string} name
   * @param {string} pool
   * @param {string} size may be larger than the pool
   * @returns {Promise<string>} its device
   */
  async addThinVolume(name, pool, size) {
    const thin = ["--type", "thin", "--thinpool", pool, "-V", size];
    await must("lvcreate", ["--yes", ...thin, "-n", name, this.name]);
    return this.device(name);
  }

  /**
   * @param {string} name of the snapshot
   * @param {string} origin
   * @param {string} [size] for what changes; none for a snapshot of a thin volume
   * @returns {Promise<string>} its device
   */
  async addSnapshot(name, origin, size) {
    const room = size === undefined ? ["-kn"] : ["-L", size];
    await must("lvcreate", ["--yes", "-s", ...room, "-n", name, `${this.name}/${origin}`]);
    return this.device(name);
  }

  /** @param {string} name */
  async removeVolume(name) {
    await must("lvremove", ["--yes", `${this.name}/${name}`]);
  }

  /** @param {string} name */
  device(name) {
    return `/dev/${this.name}/${name}`;
  }

  /** Removes the group with all that is in it, and its marks on the devices. */
  async remove() {
    await must("vgremove", ["--yes", "-ff", this.name]);
    await must("pvremove", ["--yes", ...this.devices]);
  }
}
