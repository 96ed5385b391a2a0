// The query by which people and programs follow a move or a verification.
import { defineQuery } from '@temporalio/workflow';
import type { MoveProgress } from '../../contracts/move.js';
import type { VerifyProgress } from '../../contracts/verify.js';

export const progressQuery = defineQuery<MoveProgress>('progress');
export const PROGRESS_DESCRIPTION =
  'Where the move is: its stage, its attempt, the verdict once there is one, and each step so far with its times and error.';

export const verifyProgressQuery = defineQuery<VerifyProgress>('progress');
export const VERIFY_PROGRESS_DESCRIPTION =
  'Whether the verification goes on, and its report once it is done. How many regions are compared is in the heartbeat of the pending activity.';
