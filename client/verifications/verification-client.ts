// What the SDK offers for verifications.
import type { MoveId, VolumeId } from '../../contracts/ids.js';
import type { VerifyHeartbeat, VerifyInput, VerifyReport } from '../../contracts/verify.js';
import type { DescribedWorkflow, ListedWorkflow, StartedWorkflow, WorkflowClient } from '../workflow-client.js';

/** The workflow id and first run's id, as of a move. */
export type VerificationId = MoveId;

export interface StartedVerification extends StartedWorkflow {
  readonly verificationId: VerificationId;
}

/** `same` and `different` are verdicts; the others say nothing about the replica. */
export type VerificationState = 'running' | 'same' | 'different' | 'failed' | 'cancelled' | 'terminated';

/** `progress` is that of a running one; `report` and `error` come with a verdict or a failure. */
export type Verification = StartedVerification & DescribedWorkflow<VerificationState, VerifyHeartbeat, VerifyReport>;

export interface ListedVerification extends StartedVerification, ListedWorkflow<VerificationState> {
  /** Absent when it was not started by this client, but by hand. */
  readonly volume?: VolumeId;
}

/** A verification never changes anything: it can be cancelled at any time. */
export type VerificationClient = WorkflowClient<
  VerifyInput,
  StartedVerification,
  Verification,
  ListedVerification,
  VerificationState
>;
