// The package's main entry: the SDK client, and the types and errors of its calls.
export { createMoverClient, type MoverClient, type MoverClientOptions } from './sdk.js';
export { findEstateFile, readEstateFile } from './estate-file.js';
export { type Credentials, readCredentials, type TlsIdentity } from '../control/credentials.js';
export type {
  DescribedWorkflow,
  FollowOptions,
  ListedWorkflow,
  ListOptions,
  StartedWorkflow,
  StartOptions,
  WorkflowClient,
} from './workflow-client.js';
export type {
  ListedMove,
  ListMovesOptions,
  Move,
  MoveClient,
  MoveState,
  StartedMove,
  StartMoveOptions,
} from './moves/move-client.js';
export type {
  ListedVerification,
  StartedVerification,
  Verification,
  VerificationClient,
  VerificationId,
  VerificationState,
} from './verifications/verification-client.js';
export type {
  AbortRequest,
  Batch,
  BatchClient,
  BatchRequest,
  ConcurrencyRequest,
  ListedBatch,
  Retried,
  RetryOptions,
  SkipRequest,
  StartedBatch,
} from './batches/batch-client.js';
export type { BatchState } from './batches/batch-end.js';
export type { BatchMoveOutcome, BatchMoveReport } from './batches/batch-moves.js';
export type {
  Adopted,
  BackfillInput,
  CreatedSchedule,
  ListedSchedules,
  Schedule,
  ScheduleAction,
  ScheduleClient,
  ScheduleRequest,
  ScheduleRun,
  Triggered,
  TriggerOptions,
} from './schedules/schedules.js';
export type { AdoptOptions } from './schedules/adopt.js';
export type { Overlap, ScheduleInput } from './schedules/schedule-input.js';
export type { ScheduleWarning } from './schedules/schedule-warnings.js';
export type { UiForm, UiFormField } from './schedules/ui-form.js';
export type { PointClient } from './points/point-client.js';
export type { PointInput } from './points/find.js';
export type { ListedPoints, PointOwner } from './points/list.js';
export type { ClosePointInput, MarkPointInput } from './points/bookmarks.js';
export type { Recovered, RecoveredVolume, RecoverInput, RecoverOptions } from './points/recover.js';
export type { ImageClient, OpenOptions } from './images/image-client.js';
export type { ListedAccess, ListedAccesses, OpenImageInput } from './images/accesses.js';
export type { GroupClient, NewVolumeOrder, Placed, VolumeClient } from './volumes/volume-client.js';
export type { ApplianceClient, SplitterClient } from './processes/process-client.js';
export type { ApplianceDrain, ApplianceOrder, DrainApplianceOrder, DrainedGroup } from './processes/appliances.js';
export type { DrainedVolume, SplitterOrder } from './processes/splitters.js';
export type {
  DoctorClient,
  Examination,
  Finding,
  FindingKind,
  FixRequest,
  Mended,
  SettledMove,
} from './doctor/doctor-client.js';
export type { EstateClient } from './declaration/estate-client.js';
export type { AppliedStep, ApplyOrder, EstateApplied } from './declaration/apply-estate.js';
export type { Difference, DifferenceCode, EstatePlan } from './declaration/compare-estate.js';
export type { AuditClient, AuditQuery, ListedAudit, ListedAuditEntry } from './audit/audit-client.js';
export type { ListedGroup, ListedVolume, VolumeFilter } from './volumes/inventory.js';
export type {
  AddGroupOrder,
  AddVolumeOrder,
  ForgetVolumeOrder,
  GrowVolumeOrder,
  RetireGroupOrder,
  RetireVolumeOrder,
  SetGroupOrder,
  SetVolumeOrder,
} from './volumes/lifecycle.js';
export type { RebuildOrder, ResyncOrder, SourceOrder } from './volumes/repairs.js';
export { createTimeline, type Timeline, type TimelineInput } from './timeline/timeline.js';
export { drawTimeline, type DrawOptions } from './timeline/terminal/draw.js';
export { timelinePage } from './timeline/html/page.js';
export type { TimelinePageInput } from './timeline/html/views.js';
export { connectTemporal, type TemporalAccess } from './temporal/connection.js';
export { ERRORS, MoverError, type ErrorCode, type Reason } from '../contracts/errors.js';
export type { Heartbeat, MoveInput, MovePlan, MoveProgress, MoveReport } from '../contracts/move.js';
export type { OperatorRequest } from '../contracts/request.js';
export type { BatchCounts, BatchInput, BatchProgress, BatchReport } from '../contracts/batch.js';
export type { Mismatch, VerifyHeartbeat, VerifyInput, VerifyReport } from '../contracts/verify.js';
