// Rebuilds a volume's journal because a person ordered it: checks all of it, and begins a new
// history. The splitter is told at once, and compares the volume.
import type { Logger } from 'pino';
import type { Rebuilt, RebuildInput } from '../../contracts/repair.js';
import type { Intakes } from './intake/intakes.js';
import type { Journals } from './journals.js';
import { REASON_LENGTH_MAX } from './journal/terms/types.js';
import type { Site } from './site.js';

export interface RebuildOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly intakes: Intakes;
  readonly log: Logger;
}

/**
 * Rebuilds the journal, whatever lies in its folder. May be repeated.
 * @throws MoverError VOLUME_NOT_FOUND, CORRUPT, STORAGE_FULL, STORAGE_FAILED, INTERNAL
 */
export async function rebuild(
  { site, journals, intakes, log }: RebuildOptions,
  { volume, operator, reason }: RebuildInput,
): Promise<Rebuilt> {
  site.state.volume(volume);
  log.warn({ volume, operator, reason }, 'a rebuild of a journal is ordered');
  const who = operator === undefined ? '' : ` by ${operator}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  const ordered = `a rebuild of the history of volume "${volume}" was ordered${who}${why}`;
  await journals.rebuild(volume, ordered.slice(0, REASON_LENGTH_MAX));
  const intake = await intakes.rebuilt(volume);
  await intake.startOver(ordered);
  return { volume, lineage: journals.lineage(volume), position: journals.durable(volume).position };
}
