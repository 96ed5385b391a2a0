// The query by which people and programs follow a move or a verification.
import { defineQuery } from '@temporalio/workflow';
import type { MoveProgress } from '../../contracts/move.js';
import type { VerifyProgress } from '../../contracts/verify.js';

export const progressQuery = defineQuery<MoveProgress>('progress');
export const PROGRESS_DESCRIPTION =
  'State of the move: its stage, attempt and verdict, and each step so far with its times and error.';

export const verifyProgressQuery = defineQuery<VerifyProgress>('progress');
export const VERIFY_PROGRESS_DESCRIPTION =
  'State of the verification, and its report when it is done. The heartbeat of the pending activity has the number of compared regions.';
