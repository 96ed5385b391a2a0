// A recorder that shows the stages of a move in the UI's current details, the worker's log and
// search attributes.
import { log, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { SearchAttributePair } from '@temporalio/common';
import type { MoveStage, ParsedMoveInput } from '../../contracts/move.js';
import { searchStageOf, type SearchStage } from '../../contracts/search-attributes.js';
import type { MoveId } from '../../contracts/ids.js';
import { detailsOf } from './move-details.js';
import { MoveRecorder } from '../saga/recorder.js';
import { attributesAtStart, fromGroupAttribute, stageAttribute } from '../../contracts/search-pairs.js';
import { setSearchAttributes } from '../shared/hidden-names.js';
import { temporalRuntime } from './temporal-runtime.js';

export class VisibleRecorder extends MoveRecorder {
  #searchStage: SearchStage = 'planning';
  #fromGroup: string | undefined;

  constructor(move: MoveId, input: ParsedMoveInput) {
    super(temporalRuntime, move, input);
    setMissing(attributesAtStart(input));
  }

  override stage(stage: MoveStage, waitsFor?: string): void {
    super.stage(stage, waitsFor);
    const progress = this.progress();
    setCurrentDetails(detailsOf(progress));
    log.info(`move: ${stage}`, { move: progress.move, attempt: progress.attempt });
    this.#makeSearchable(searchStageOf(stage));
  }

  /**
   * Sets the search attribute only when the stage changes, since each upsert is an event. The end
   * sets it together with the outcome.
   */
  #makeSearchable(stage: SearchStage): void {
    if (stage === this.#searchStage || stage === 'done' || stage === 'failed') return;
    this.#searchStage = stage;
    const { from } = this.progress();
    const isNew = from !== undefined && from !== this.#fromGroup;
    this.#fromGroup = from;
    setSearchAttributes([stageAttribute(stage), ...(isNew ? [fromGroupAttribute(from)] : [])]);
  }
}

/** Sets the attributes that a move started by hand lacks. */
function setMissing(attributes: readonly SearchAttributePair[]): void {
  const known = new Set(
    workflowInfo()
      .typedSearchAttributes.getAll()
      .map(({ key }) => key.name),
  );
  const missing = attributes.filter(({ key }) => !known.has(key.name));
  setSearchAttributes(missing);
}
