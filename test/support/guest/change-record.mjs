/** Records changed as only a test may: with the checksum that belongs to what they say then. */
import { readFileSync, writeFileSync } from "node:fs";

import { seal } from "../../../out/modules/system/sealed.js";

/**
 * @param {string} file
 * @param {object} changes
 */
export function changeRecord(file, changes) {
  const { checksum: _before, ...record } = JSON.parse(readFileSync(file, "utf8"));
  writeFileSync(file, seal({ ...record, ...changes }));
}
