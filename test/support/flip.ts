import { closeSync, openSync, readSync, writeSync } from "node:fs";

/** Changes one bit of a file. */
export function flipByte(file: string, offset: number): void {
  const descriptor = openSync(file, "r+");
  try {
    const byte = Buffer.alloc(1);
    readSync(descriptor, byte, 0, 1, offset);
    byte.writeUInt8(byte.readUInt8() ^ 1);
    writeSync(descriptor, byte, 0, 1, offset);
  } finally {
    closeSync(descriptor);
  }
}
