import { testInGuest } from "../support/guest.js";

await testInGuest("iscsi-luns");
