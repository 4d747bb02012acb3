import { testInGuest } from "../support/guest.js";

await testInGuest("failures-races");
