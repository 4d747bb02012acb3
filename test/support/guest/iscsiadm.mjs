// What others do on the same host with iscsiadm alone: blockhaul has to leave it as it is.

import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import path from "node:path";

import { exec, must, until } from "./exec.mjs";
import { udevSettle } from "./host.mjs";

const database = "/etc/iscsi/nodes";

/** A target at one portal, as iscsiadm knows it. */
export class PlainNode {
  /** @type {readonly string[]} */
  #of;

  /**
   * @param {string} iqn
   * @param {string} portal "127.0.0.1:3260"
   */
  constructor(iqn, portal) {
    this.iqn = iqn;
    this.portal = portal;
    this.#of = ["-m", "node", "-T", iqn, "-p", portal];
  }

  /**
   * Makes the node record, in the form that a discovery gives it.
   *
   * @param {Readonly<Record<string, string>>} [settings]
   */
  async create(settings = {}) {
    await must("iscsiadm", [
      ...["-m", "node", "-T", this.iqn, "-p", `${this.portal},1`],
      ...["--interface", "default", "--op", "new"],
    ]);
    for (const [name, value] of Object.entries(settings)) await this.set(name, value);
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  async set(name, value) {
    await must("iscsiadm", [...this.#of, "--op", "update", "-n", name, "-v", value]);
  }

  tryLogin() {
    return exec("iscsiadm", [...this.#of, "--login"]);
  }

  async login() {
    await must("iscsiadm", [...this.#of, "--login"]);
  }

  async logout() {
    await must("iscsiadm", [...this.#of, "--logout"]);
  }

  async remove() {
    await must("iscsiadm", [...this.#of, "--op", "delete"]);
  }

  /** @returns {Record<string, string>} the files of its records, with what they hold */
  records() {
    const folder = path.join(database, this.iqn);
    if (!existsSync(folder)) return {};
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name));
    return Object.fromEntries(files.map((file) => [file, readFileSync(file, "utf8")]));
  }

  /**
   * @param {number} [lun]
   * @returns {Promise<string>} "/dev/sda", once udev has made its link
   */
  async device(lun = 1) {
    const link = `/dev/disk/by-path/ip-${this.portal}-iscsi-${this.iqn}-lun-${lun}`;
    await udevSettle();
    return until(link, () => existsSync(link) && realpathSync(link));
  }
}
