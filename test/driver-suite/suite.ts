import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  BlockhaulError,
  type OpenOptions,
  openVolume,
  type Volume,
  type VolumeDriver,
} from "blockhaul";

/** What the suite needs of a test runner: vitest, mocha, jest and node:test all have it. */
export interface TestFramework {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
}

/** A volume for one test. */
export interface SuiteVolume {
  readonly ref: string;
  /** Called at the test's end, when everything is closed; the test may have deleted the volume. */
  remove?(): Promise<void> | void;
}

export interface SuiteOptions {
  readonly test: TestFramework;
  /** It must be known to the registry: built in, or registered before. */
  readonly driver: VolumeDriver;
  /** In the tests' names; the driver's name unless told. */
  readonly label?: string;
  /** Makes a volume of exactly so many bytes, a multiple of `sizeUnit`; its content does not matter. */
  provide(size: number): Promise<SuiteVolume> | SuiteVolume;
  /** Bytes that every size is a multiple of; 1 unless told. */
  readonly sizeUnit?: number;
  /** A well-formed ref of a volume that does not exist, and that could be created if the driver can. */
  absent?(): Promise<SuiteVolume> | SuiteVolume;
  /**
   * What a backend's section of `blockhaul.yaml` would say of a place for new volumes, beside `driver`:
   * volumes of all kinds are made there, listed and deleted. Without it nothing of places is tested.
   */
  backend?(): Promise<Readonly<Record<string, unknown>>> | Readonly<Record<string, unknown>>;
  /** Refs that `parseRef` must refuse. */
  readonly malformedRefs: readonly string[];
}

export interface Suite extends SuiteOptions {
  /** Bytes of a volume that most tests use: odd, where the driver can. */
  readonly size: number;
  /** A size rounded up to what the driver can. */
  sizeFor(bytes: number): number;
  /** Opens a fresh volume, runs the test, and cleans up behind it. */
  withVolume(mode: "read" | "write", body: (volume: Volume) => Promise<void>): () => Promise<void>;
  /** Hands a fresh volume's ref to a test that opens it itself. */
  withRef(body: (ref: string) => Promise<void>): () => Promise<void>;
}

const ORDINARY_SIZE = 3 * 1024 ** 2 + 777;

export function prepare(options: SuiteOptions): Suite {
  const unit = options.sizeUnit ?? 1;
  const sizeFor = (bytes: number) => Math.ceil(bytes / unit) * unit;
  const size = sizeFor(ORDINARY_SIZE);
  const withRef = (body: (ref: string) => Promise<void>) => async () => {
    const provided = await options.provide(size);
    try {
      await body(provided.ref);
    } finally {
      await provided.remove?.();
    }
  };
  return {
    ...options,
    size,
    sizeFor,
    withRef,
    withVolume: (mode, body) => withRef((ref) => using(ref, { mode }, body)),
  };
}

/** Opens a volume for the time of a function. */
export async function using<Result>(
  ref: string,
  options: OpenOptions,
  body: (volume: Volume) => Promise<Result>,
): Promise<Result> {
  const volume = await openVolume(ref, options);
  try {
    return await body(volume);
  } finally {
    await volume.close();
  }
}

/** A folder for the time of a function. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "blockhaul-suite-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Bytes that look random and are the same for the same seed. */
export function randomBytes(seed: string, length: number): Buffer {
  const key = createHash("sha256").update(seed).digest();
  return createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A range of a volume, all of it unless told; every byte must come. */
export async function readRange(
  volume: Volume,
  position = 0,
  length = volume.size,
): Promise<Buffer> {
  // Not zero beforehand: a byte that was never filled must show.
  const buffer = Buffer.alloc(length, 0xa5);
  const { bytesRead } = await volume.read(buffer, { position });
  assert.equal(bytesRead, length, `bytes read from ${position} on`);
  return buffer;
}

/** Buffers of megabytes: a readable message instead of a difference of all their bytes. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  assert.equal(actual.byteLength, expected.byteLength, `length of ${what}`);
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  assert.fail(`${what}: byte ${at} is ${actual[at]}, not ${expected[at]}`);
}

/** A promise that must fail with a BlockhaulError of one of these codes. */
export async function assertRejects(
  action: () => Promise<unknown>,
  ...codes: readonly string[]
): Promise<BlockhaulError> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  assert.ok(thrown !== undefined, `should have failed with ${codes.join(" or ")}`);
  assert.ok(thrown instanceof BlockhaulError, `should be a BlockhaulError: ${String(thrown)}`);
  assert.ok(
    codes.includes(thrown.code),
    `should be ${codes.join(" or ")}, not ${thrown.code}: ${thrown.message}`,
  );
  return thrown;
}
