import type { LogicalVolume } from "../../../src/lvm/report.js";

/** A thick volume. */
export const aVolume: LogicalVolume = {
  vg: "vg0",
  name: "a",
  uuid: "JfEhy2-jjt1-l1Pa-JZfh-2O0X-ApJ1-LAsFVB",
  vgUuid: "z7p47m-Yht7-VaGW-s3j4-9QfA-KBoI-MOyx1s",
  size: 1 << 20,
  storedSize: 1 << 20,
  layout: ["linear"],
  roles: ["public"],
  isActive: true,
  isInvalid: false,
  isOpen: false,
  isReadOnly: false,
  pool: undefined,
  origin: undefined,
  dataPercent: undefined,
  zeroesNewBlocks: false,
  deviceNumber: "254:0",
  tags: [],
  createdAt: 0,
  thinId: undefined,
};
