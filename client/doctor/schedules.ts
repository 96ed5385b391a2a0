// Findings about schedules: batches that name groups or volumes which the estate does not have.
import { batchInputSchema } from '../../contracts/batch.js';
import type { Schedule } from '../schedules/schedules.js';
import type { Finding } from './doctor-client.js';

/** Warnings that say: its batches can't run. */
const SPOILS_BATCHES: ReadonlySet<string> = new Set(['batch', 'workflowType', 'taskQueue']);

/** @param volumes all volumes of the replica site that are not retired */
export function scheduleFindings(schedule: Schedule, volumes: ReadonlySet<string>): Finding[] {
  const { name, changedAtMs, createdAtMs, warnings } = schedule;
  const messages = [
    ...warnings.filter(({ about }) => SPOILS_BATCHES.has(about)).map(({ message }) => message),
    ...unknownVolumes(schedule, volumes).map((volume) => `its input names volume "${volume}", which is not there`),
  ];
  return messages.map((message) => ({
    kind: 'schedule',
    subject: name,
    what: `schedule ${name}: ${message}`,
    sinceMs: changedAtMs ?? createdAtMs,
    blocks: 'The batches that it starts.',
    action: `Correct it: volume-mover schedule show ${name}`,
    isFixable: false,
    isResidue: true,
  }));
}

function unknownVolumes({ action }: Schedule, volumes: ReadonlySet<string>): string[] {
  const moves = batchInputSchema.safeParse(action.input).data?.moves ?? [];
  const named = moves.flatMap(({ volume, volumes: several = [] }) => (volume === undefined ? several : [volume]));
  return [...new Set(named)].filter((volume) => !volumes.has(volume));
}
