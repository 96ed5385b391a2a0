// The report of a move whose workflow was ended from outside, which could leave none itself.
// Temporal's history says who ended it, the replica site's record how its attempt ended.
import type { Client } from '@temporalio/client';
import type { AttemptRecord } from '../../contracts/attempt.js';
import { MoverError, toProblem } from '../../contracts/errors.js';
import { moveInputSchema, moveProgressSchema, type ParsedMoveInput } from '../../contracts/move.js';
import type { MoveEnding, StoredMoveReport } from '../../contracts/report.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import { orUndefined } from '../../control/site-lookup.js';
import { payloadValue } from '../temporal/payload-value.js';
import { progressOf, type DescribedRun } from '../temporal/workflow-run.js';
import type { SettledMove } from './doctor-client.js';
import type { ClosedHow } from './owner.js';

/** Longest wait for one event of a history, ms. A live server answers in milliseconds. */
const EVENT_TIMEOUT_MS = 10_000;
/** Temporal's HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT. */
const CLOSE_EVENT = 2;

/** Whether a workflow that ended so could leave no report. */
export function leavesNoReport(how: ClosedHow): how is MoveEnding['how'] {
  return how === 'terminated' || how === 'timed out';
}

interface Ended {
  readonly run: DescribedRun;
  readonly how: MoveEnding['how'];
  readonly record: AttemptRecord | undefined;
  readonly settled: SettledMove;
}

/**
 * Stores the report of such a move. A report that a batch stored for it stays, and is completed.
 * @throws MoverError UNREACHABLE, FORBIDDEN, and those of the control call
 */
export async function storeEnding(client: Client, ports: Ports, ended: Ended): Promise<void> {
  const { move } = ended.settled;
  const [known, made] = await Promise.all([
    orUndefined(
      'REPORT_NOT_FOUND',
      anyAppliance(ports, ({ calls }) => calls.report({ move })),
    ),
    reportOf(client, ended),
  ]);
  const report = known === undefined ? made : { ...made, ...known, ending: endingOf(made, known) };
  if (report !== undefined) await anyAppliance(ports, ({ calls }) => calls.storeReport(report));
}

function endingOf(made: StoredMoveReport | undefined, known: StoredMoveReport): MoveEnding | undefined {
  return made?.ending ?? known.ending;
}

/** Undefined when neither the replica site nor Temporal knows what the move was about. */
async function reportOf(client: Client, { run, how, record, settled }: Ended): Promise<StoredMoveReport | undefined> {
  const { description, workflowId } = run;
  const { runId, startTime, closeTime } = description;
  const [progress, closing, input] = await Promise.all([
    progressOf(client, moveProgressSchema, workflowId, { runId }),
    closeEventOf(client, run),
    inputOf(client, run),
  ]);
  const { operator, reason, batch } = input ?? {};
  const { contents } = record ?? {};
  const volumes = contents?.volumes.map(({ volume }) => volume) ?? progress?.volumes;
  const to = contents?.to ?? progress?.to;
  const from = contents?.from ?? progress?.from;
  if (volumes === undefined || to === undefined) return undefined;
  const { verdict, attempt, done, left } = settled;
  return {
    move: settled.move,
    // Reports of batches know no other outcome of a move that did not succeed.
    outcome: how === 'terminated' && batch === undefined ? 'terminated' : 'failed',
    volumes,
    ...(from === undefined ? {} : { from }),
    to,
    startedAtMs: startTime.getTime(),
    endedAtMs: (closeTime ?? startTime).getTime(),
    ...(operator === undefined ? {} : { operator }),
    ...(reason === undefined ? {} : { reason }),
    ...(batch === undefined ? {} : batch),
    ...(progress === undefined ? {} : { progress }),
    problem: problemOf(how, closing, settled),
    ending: {
      how,
      ...closing,
      attempt,
      ...(verdict === undefined ? {} : { verdict }),
      done,
      left: [...left],
      ...(record?.reason === undefined ? {} : { record: record.reason }),
    },
  };
}

function problemOf(
  how: MoveEnding['how'],
  { by, why }: Pick<MoveEnding, 'by' | 'why'>,
  { verdict, done }: SettledMove,
): NonNullable<StoredMoveReport['problem']> {
  const who = `${by === undefined ? '' : ` by ${by}`}${why === undefined ? '' : ` (${why})`}`;
  const code = verdict === 'COMMITTED' ? 'ATTEMPT_COMMITTED' : 'ATTEMPT_ABORTED';
  return toProblem(
    new MoverError(code, `The workflow of the move ${how === 'terminated' ? 'was ' : ''}${how}${who}. ${done}`),
  );
}

/** Who ended the workflow and why, as the last event of its history says. */
async function closeEventOf(client: Client, run: DescribedRun): Promise<Pick<MoveEnding, 'by' | 'why'>> {
  const last = await eventOf(client, run, { historyEventFilterType: CLOSE_EVENT });
  const { identity, reason } = last?.workflowExecutionTerminatedEventAttributes ?? {};
  return { ...(identity ? { by: identity } : {}), ...(reason ? { why: reason } : {}) };
}

/** The move's input, as the first event has it; undefined when it can't be read. */
async function inputOf(client: Client, run: DescribedRun): Promise<ParsedMoveInput | undefined> {
  const first = await eventOf(client, run, { maximumPageSize: 1 });
  const [payload] = first?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
  return moveInputSchema.safeParse(await payloadValue(client, payload)).data;
}

type HistoryRequest = Parameters<Client['workflowService']['getWorkflowExecutionHistory']>[0];

async function eventOf(
  client: Client,
  { workflowId, description: { runId } }: DescribedRun,
  which: Pick<HistoryRequest, 'historyEventFilterType' | 'maximumPageSize'>,
) {
  const { namespace } = client.options;
  const { history } = await client.withDeadline(Date.now() + EVENT_TIMEOUT_MS, async () =>
    client.workflowService.getWorkflowExecutionHistory({ namespace, execution: { workflowId, runId }, ...which }),
  );
  return history?.events?.[0];
}
