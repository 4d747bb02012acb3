// The two iSCSI targets of the guest: tgt to be killed and stopped, LIO for what the kernel's own does differently.

export { Lio } from "./lio.mjs";
export { backingFile, Tgt } from "./tgt.mjs";
