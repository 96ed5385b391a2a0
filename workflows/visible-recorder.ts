// A recorder whose stages can be followed: in the UI's current details and in the worker's log.
import { log, setCurrentDetails } from '@temporalio/workflow';
import type { MoveStage } from '../contracts/move.js';
import { detailsOf } from './move-details.js';
import { MoveRecorder } from './saga/recorder.js';

export class VisibleRecorder extends MoveRecorder {
  override stage(stage: MoveStage): void {
    super.stage(stage);
    const progress = this.progress();
    setCurrentDetails(detailsOf(progress));
    log.info(`move: ${stage}`, { move: progress.move, attempt: progress.attempt });
  }
}
