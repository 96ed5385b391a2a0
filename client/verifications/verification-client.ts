// The SDK's client for verifications.
import type { MoveId, VolumeId } from '../../contracts/ids.js';
import type { VerifyHeartbeat, VerifyInput, VerifyReport } from '../../contracts/verify.js';
import type { DescribedWorkflow, ListedWorkflow, StartedWorkflow, WorkflowClient } from '../workflow-client.js';

/** Workflow id and first run's id, like a move id. */
export type VerificationId = MoveId;

export interface StartedVerification extends StartedWorkflow {
  readonly verificationId: VerificationId;
}

/** `same` and `different` are verdicts. The other states say nothing about the replica. */
export type VerificationState = 'running' | 'same' | 'different' | 'failed' | 'cancelled' | 'terminated';

/**
 * A verification at one moment. `progress` is set while it runs; `report` and `error` come with a
 * verdict or a failure.
 */
export type Verification = StartedVerification & DescribedWorkflow<VerificationState, VerifyHeartbeat, VerifyReport>;

export interface ListedVerification extends StartedVerification, ListedWorkflow<VerificationState> {
  /** Absent when it was started by hand, not by this client. */
  readonly volume?: VolumeId;
}

/** Starts and follows verifications. They change nothing and can be cancelled at any time. */
export type VerificationClient = WorkflowClient<
  VerifyInput,
  StartedVerification,
  Verification,
  ListedVerification,
  VerificationState
>;
