export {
  type AttachVolumeOptions,
  attachVolume,
  detachVolume,
  type KeptAttachment,
} from "./attach.js";
export type { Attachment } from "./attachments/attachment.js";
export {
  type AttachmentState,
  type AttachmentStatus,
  type CleanedAttachment,
  cleanUpAttachments,
  listAttachments,
} from "./attachments/cleanup.js";
export {
  type Backend,
  type BackendLimits,
  type BackendSettings,
  findBackend,
  listBackendNames,
  registerBackend,
} from "./backends.js";
export {
  type Config,
  type ConfigFile,
  type ConfigWatch,
  readConfig,
  type SettingOrigin,
  useConfig,
} from "./config.js";
export type {
  ChapAuth,
  ExpectedDevice,
  IscsiConnection,
  Portal,
  SessionTimeouts,
} from "./connectors/connection.js";
export type { DiscoveredTarget } from "./connectors/iscsi/discovery.js";
export {
  backendStats,
  type CreateVolumeOptions,
  createSnapshot,
  createVolume,
  type DeleteVolumeOptions,
  deleteSnapshot,
  deleteVolume,
  listSnapshots,
  listVolumes,
  renameVolume,
  resizeVolume,
} from "./control.js";
export {
  CopyControl,
  type CopyLimits,
  type CopyOptions,
  type CopyPhase,
  type CopyPlan,
  type CopyProgress,
  type CopyReport,
  copyVolume,
  planCopy,
  type VerificationReport,
} from "./copy.js";
export { type DiscoverOptions, discoverIscsiTargets } from "./discover.js";
export type {
  AttachedDevice,
  AttachOptions,
  CreateOptions,
  DeviceIdentity,
  DriverOpenOptions,
  DriverPlaces,
  DriverStatus,
  DriverSupport,
  Extent,
  ExtentKind,
  JsVolume,
  ListedVolume,
  OpenedVolume,
  PlaceStats,
  Provisioning,
  ShortWay,
  ShortWayOptions,
  SnapshotInfo,
  SnapshotOptions,
  StandardIssue,
  StandardResult,
  StandardSchema,
  TransferPlace,
  TransferResult,
  VolumeDriver,
  VolumeLook,
  VolumeUsage,
} from "./driver.js";
export type { LvmCreateOptions } from "./drivers/lvm.js";
export type { RbdCreateOptions } from "./drivers/rbd.js";
export {
  BlockhaulError,
  type ConfigFault,
  ERROR_CODES,
  type ErrorCode,
  type ErrorCodeFacts,
  type ErrorDetails,
  type Side,
} from "./errors.js";
export { ExportDriver, type ExportedVolume, type ExportRequest } from "./export-driver.js";
export { type GptBackup, moveGptBackup } from "./gpt.js";
export { checkGuards, type GuardOptions, throwRefusal } from "./guards/check.js";
export { GUARD_NAMES, type GuardFinding, type GuardName } from "./guards/guard.js";
export { type CopyNotice, type NoticeOptions, noticesOf, noticesOfNew } from "./guards/notices.js";
export { type EngineStatus, engineStatus, type ToolStatus, toolStatus } from "./host.js";
export {
  controlJob,
  findResumable,
  type JobOptions,
  type JobState,
  type JobStatus,
  type JobsOptions,
  listJobs,
  removeJob,
  showJob,
} from "./jobs.js";
export type { ManifestHeader } from "./manifest.js";
export {
  abortMigration,
  type Freeze,
  findMigration,
  HOOK_NAMES,
  type Hook,
  type HookFacts,
  type HookName,
  listMigrations,
  MIGRATION_STATES,
  type MigrateOptions,
  type MigrationEvent,
  type MigrationPlan,
  type MigrationReport,
  type MigrationSettings,
  type MigrationState,
  type MigrationStatus,
  type MigrationTuning,
  type MigrationWatch,
  migrateVolume,
  planMigration,
  type ResumeMigrationOptions,
  removeMigration,
  resumeMigration,
} from "./migrate.js";
export {
  type CheckedMove,
  type CheckedPlan,
  type CheckPlanOptions,
  checkPlan,
  type EarlierMigration,
  type ManyEvent,
  type ManyOptions,
  type ManyPlan,
  type ManyReport,
  type Move,
  type MoveFault,
  type MoveGroup,
  type MoveOptions,
  type MoveReport,
  type MoveState,
  migrateVolumes,
  PlanError,
  type ReadPlan,
  readPlan,
} from "./migrate-many.js";
export type {
  IoStatus,
  LibrbdStatus,
  NativeVolume,
  NativeVolumeInfo,
  Range,
} from "./native.js";
export { redact } from "./redact.js";
export { type ResolvedRef, resolveRef } from "./refs.js";
export { listDrivers, registerDriver } from "./registry.js";
export { type ResumedJob, type ResumeOptions, resumeCopy } from "./resume.js";
export { SECRET_VARIABLES, takeSecretsFromEnvironment } from "./system/read-secret.js";
export { Secret } from "./system/secret.js";
export {
  exactSize,
  formatClock,
  formatDuration,
  formatSize,
  parseSize,
  sizeInWords,
} from "./units.js";
export {
  type ComparisonReport,
  type DigestReport,
  digestVolume,
  type VerifyOptions,
  verifyManifest,
  verifyVolumes,
} from "./verify.js";
export type { BufferPart } from "./volume/arguments.js";
export { zeroRest } from "./volume/rest.js";
export type { VolumeStreamOptions } from "./volume/streams.js";
export {
  closeVolume,
  type NewVolume,
  type OpenOptions,
  openVolume,
  type RangeOptions,
  type ReadOptions,
  type TransferOptions,
  Volume,
  type VolumeInfo,
} from "./volume.js";
export type { VolumeEnd } from "./volume-end.js";
