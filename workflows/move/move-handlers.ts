// The query and the updates of a move, as Temporal handlers. An update answers when the move has
// obeyed, or refuses in a sentence.
import { condition, defineUpdate, log, setHandler } from '@temporalio/workflow';
import type { MoveRequestName } from '../../contracts/move.js';
import { requestSchema, type OperatorRequest } from '../../contracts/request.js';
import type { MoveControls } from '../saga/controls.js';
import type { MoveRecorder } from '../saga/recorder.js';
import { PROGRESS_DESCRIPTION, progressQuery } from '../shared/progress-query.js';
import { checkRequest, refusal } from '../shared/requests.js';
import { namesOf } from '../shared/step-summaries.js';

const DESCRIPTIONS: Readonly<Record<MoveRequestName, string>> = {
  approve:
    'Lets a move that was started with "cutover": "manual" raise its fence, now or as soon as it is ready. Give { operator, reason }.',
  pause:
    'Holds the move before its commit: a running attempt is rolled back, so that no fence stays up. Give { operator, reason }.',
  resume: 'Lets a paused move go on with a new attempt. Give { operator, reason }.',
  abort:
    'Ends the move before its commit: everything is put back as it was. After the commit it is refused. Give { operator, reason }.',
};

/** The answer of an update: a sentence. */
interface Answer {
  readonly message: string;
}

/** Registers the query and the updates. Call it before the first await. */
export function handleMoveRequests(recorder: MoveRecorder, controls: MoveControls): void {
  setHandler(progressQuery, () => recorder.progress(), { description: PROGRESS_DESCRIPTION });

  handle('approve', () => {
    controls.approve();
    const { stage } = recorder.progress();
    return stage === 'ready'
      ? 'Approved: the move raises its fence now, or at the earliest time that was given.'
      : 'Approved: the move raises its fence as soon as it is ready.';
  });
  handle('pause', async (request) => {
    const wasApproved = controls.isApproved;
    controls.pause(request);
    await obeyed('pause', () => recorder.progress().stage === 'paused' || controls.isAborted);
    // Somebody aborted the move meanwhile, or it failed: it is not held, and can't be resumed.
    const ended = recorder.progress().stage === 'paused' ? undefined : controls.refusalOf('pause');
    if (ended !== undefined) throw refusal(ended, 'MOVE_REQUEST_REFUSED');
    const again = wasApproved ? ' The approval counts no more.' : '';
    return `Paused: no fence is up and no attempt is open.${again} To go on: resume.`;
  });
  handle('resume', () => {
    controls.resume();
    return 'Resumed: the move goes on with a new attempt.';
  });
  handle('abort', async (request) => {
    controls.abort(request);
    await obeyed('abort', () => false);
    const { volumes, from } = recorder.progress();
    return `Aborted: ${namesOf(volumes)} stays${from === undefined ? '' : ` in group "${from}"`}, and everything is as it was before.`;
  });

  /** Waits until the saga has obeyed. @throws ApplicationFailure when it was committed meanwhile */
  async function obeyed(name: MoveRequestName, isSo: () => boolean): Promise<void> {
    const isCommitted = (): boolean => recorder.progress().verdict === 'COMMITTED';
    await condition(() => isSo() || isCommitted() || recorder.progress().stage === 'failed');
    if (isCommitted()) throw refusal(controls.committedText(name), 'MOVE_REQUEST_REFUSED');
  }

  function handle(name: MoveRequestName, carryOut: (request: OperatorRequest) => string | Promise<string>): void {
    setHandler(
      defineUpdate<Answer, [unknown]>(name),
      async (given): Promise<Answer> => {
        const request = requestSchema.parse(given);
        log.info(`move: ${name} by ${request.operator}: ${request.reason}`, { move: recorder.progress().move });
        return { message: await carryOut(request) };
      },
      {
        description: DESCRIPTIONS[name],
        validator: (...args: unknown[]) => {
          checkRequest(requestSchema, name, args);
          const reason = controls.refusalOf(name);
          if (reason !== undefined) throw refusal(reason, 'MOVE_REQUEST_REFUSED');
        },
      },
    );
  }
}
