/** What a step consists of on disk. No secret may stand in one. */
export type StepData = { readonly [key: string]: string | number | boolean | null };

/**
 * One kind of thing that is done to this host or to a backend to open a volume, and how it is undone:
 * an iSCSI login, an export, a snapshot. A step is recorded before it is made; so that an undo finds
 * it there, or half there, or not there at all.
 */
export interface StepKind<Data extends StepData = StepData> {
  /** "iscsi-session"; stands in the record. */
  readonly name: string;
  /**
   * What it makes does not outlive a start of the host: one that is there after it, under the same
   * name, is somebody else's.
   */
  readonly untilReboot?: true;
  /** The same text for the same thing: of several attachments that list it, the last one undoes it. */
  key(data: Data): string;
  /** For people: "session with iqn.2026-01.test:a at 10.0.0.1:3260". */
  describe(data: Data): string;
  /**
   * Undoes it where it is there, and succeeds where it is not. May be called again, in another
   * process, after it failed or was killed. The caller has the host's lock.
   */
  undo(data: Data): Promise<void>;
  /** The path of the block device that the step brought, as the kernel names it now. */
  device?(data: Data): Promise<string | undefined>;
}

/** A step as a record holds it. */
export interface RecordedStep {
  readonly kind: string;
  readonly data: StepData;
}
