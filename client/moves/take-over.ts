// A move that takes over: ends what moves that no longer run hold of its volumes, instead of
// waiting for their leases. The doctor's code does it.
import type { HeldAttempt } from '../../activities/settle.js';
import { MoverError } from '../../contracts/errors.js';
import type { ParsedMoveInput } from '../../contracts/move.js';
import type { DeadAttempts } from '../doctor/dead-attempts.js';
import type { SettledMove } from '../doctor/doctor-client.js';

/**
 * Ends the dead attempts that hold a volume of the move. One that queues waits for moves that run.
 * @throws MoverError VOLUME_BUSY naming the move that runs, or that may run elsewhere; UNREACHABLE;
 * FORBIDDEN
 */
export async function takeOver(attempts: DeadAttempts, input: ParsedMoveInput): Promise<SettledMove[]> {
  const volumes = new Set<string | undefined>(input.volumes ?? [input.volume]);
  const { alive, dead } = await attempts.look((held) => holds(held, volumes));
  const [holder] = alive;
  if (holder !== undefined && input.queue !== true) throw stillRuns(holder);
  const settled: SettledMove[] = [];
  for (const one of dead) {
    const reason = `a move to ${input.to} takes over`;
    const done = await attempts.settle(one, { operator: input.operator, reason });
    if (done === undefined) throw stillRuns(one.held);
    if (done.isOpen) throw mayRun(one.held, done);
    settled.push(done);
  }
  return settled;
}

/** Whether the attempt is about one of the volumes. */
function holds({ record, holds: held }: HeldAttempt, volumes: ReadonlySet<string | undefined>): boolean {
  const bound = record?.state === 'OPEN' ? (record.contents?.volumes ?? []) : [];
  return [...bound, ...held].some(({ volume }) => volumes.has(volume));
}

function stillRuns({ attempt: { move } }: HeldAttempt): MoverError {
  return new MoverError(
    'VOLUME_BUSY',
    `The move cannot take over: move ${move} still runs. To wait for its end: --queue ("queue": true). To end it: volume-mover cancel ${move}`,
  );
}

function mayRun({ attempt: { move } }: HeldAttempt, { left }: SettledMove): MoverError {
  return new MoverError('VOLUME_BUSY', `The move cannot take over from ${move} yet. ${left.join(' ')}`);
}
