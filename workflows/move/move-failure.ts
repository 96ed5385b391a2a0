// The failure of a move: what happened, what state the volumes are in, and what the user can do.
import type { ApplicationFailure } from '@temporalio/workflow';
import { type ErrorCode, ERRORS } from '../../contracts/errors.js';
import { MOVE_STEPS, type MoveProgress } from '../../contracts/move.js';
import { codeOf, messageOf, workflowFailure } from '../shared/step-failure.js';
import { namesOf } from '../shared/step-summaries.js';

/** A splitter learned that the move was committed, and the replica site has lost that. */
const TWO_VERDICTS =
  'A splitter knows the move as committed, and the replica site has lost that: its folder was put back. The site takes it over as the splitter attaches, and no write is lost.';

/**
 * The failure that a move's workflow throws. Its type is the registry's code; its one detail is `{
 * progress, problem }`.
 */
export function moveFailure(error: unknown, progress: MoveProgress): ApplicationFailure {
  const code = codeOf(error) ?? 'INTERNAL';
  const message = [
    `The move of ${namesOf(progress.volumes)} to group "${progress.to}" ${code === 'MOVE_ABORTED' ? 'ended' : `failed${placeOf(progress)}`}:`,
    sentence(messageOf(error)),
    stateText(code, progress),
    ERRORS[code].action,
  ].join(' ');
  return workflowFailure(error, message, { progress });
}

function stateText(code: ErrorCode, progress: MoveProgress): string {
  if (code === 'ATTEMPT_MISMATCH' && progress.verdict === 'ABORTED') return TWO_VERDICTS;
  if (code === 'MOVE_REFUSED') {
    // Another move may have taken the volumes elsewhere.
    const { from: _before, ...known } = progress;
    return stateOfVolumes(known);
  }
  // A move that a person aborted has no open attempt, even if it never had one.
  return stateOfVolumes(code === 'MOVE_ABORTED' ? { ...progress, verdict: 'ABORTED' } : progress);
}

function placeOf({ steps, attempt }: MoveProgress): string {
  const failed = steps.findLast((step) => step.error !== undefined);
  if (failed === undefined) return '';
  const place = MOVE_STEPS.findIndex((step) => step === failed.step);
  return ` at step ${place < 0 ? failed.step : `${place + 1}/${MOVE_STEPS.length} (${failed.step})`}${attempt > 1 ? `, attempt ${attempt}` : ''}`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** The state in which a failed move left its volumes. */
function stateOfVolumes({ stage, verdict, from, to }: MoveProgress): string {
  const source = from === undefined ? '' : ` in group "${from}"`;
  if (verdict === 'COMMITTED')
    return `The move is committed and group "${to}" owns the volumes, but the work after the commit could not be finished.`;
  if (verdict === undefined)
    return 'It is not known whether the move was committed: no appliance gave the verdict. The splitters ask for it when the lease runs out, and then replicate in the old or the new group; no write is lost.';
  if (stage !== 'failed')
    return `The move is aborted and the volumes stay${source}, but not every splitter has received the verdict; each asks for it when the lease runs out.`;
  return `Everything is as it was before: the volumes stay${source}, with all their recovery points.`;
}
