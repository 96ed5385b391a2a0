// The query that people and programs follow a move with.
import { defineQuery } from '@temporalio/workflow';
import type { MoveProgress } from '../contracts/move.js';

export const progressQuery = defineQuery<MoveProgress>('progress');
export const PROGRESS_DESCRIPTION =
  'Where the move is: its stage, its attempt, the verdict once there is one, and each step so far with its times and error.';
