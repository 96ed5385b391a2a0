// What programs import: the SDK client, and the types and errors that its calls speak in.
export { createMoverClient, type MoverClient, type MoverClientOptions } from './sdk.js';
export { findEstateFile, readEstateFile } from './estate-file.js';
export type { Move, MoveState, StartedMove, StartMoveOptions, WatchOptions } from './moves/moves.js';
export type {
  AbortRequest,
  Batch,
  BatchClient,
  BatchRequest,
  ConcurrencyRequest,
  ListBatchesOptions,
  ListedBatch,
  Retried,
  RetryOptions,
  SkipRequest,
  StartedBatch,
} from './batches/batches.js';
export type { BatchState } from './batches/batch-end.js';
export type { BatchMoveOutcome, BatchMoveReport } from './batches/batch-moves.js';
export type { ListedGroup, ListedPoints, ListedVolume, PointOwner, VolumeFilter } from './volumes/inventory.js';
export type { ListedAccess, ListedAccesses, OpenAccessWords } from './images/accesses.js';
export type { ClosePointInput, MarkPointInput } from './volumes/bookmarks.js';
export { createTimeline, type Timeline, type TimelineInput } from './timeline/timeline.js';
export { drawTimeline, type DrawOptions } from './timeline/terminal/draw.js';
export { timelinePage } from './timeline/html/page.js';
export type { TimelinePageInput } from './timeline/html/views.js';
export type { Recovered, RecoveredVolume, RecoverInput, RecoverOptions } from './images/recover.js';
export type { StartedVerify, StartVerifyOptions, Verification, VerifyState } from './verifications/verifications.js';
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
export { connectTemporal, type TemporalAccess } from './temporal/connection.js';
export { ERRORS, MoverError, type ErrorCode, type Reason } from '../contracts/errors.js';
export type { MoveInput, MovePlan, MoveProgress, MoveReport } from '../contracts/move.js';
export type { BatchCounts, BatchInput, BatchProgress, BatchReport } from '../contracts/batch.js';
export type { Mismatch, VerifyHeartbeat, VerifyInput, VerifyReport } from '../contracts/verify.js';
