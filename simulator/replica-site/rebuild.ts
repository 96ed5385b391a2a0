// Has a volume's history begin anew because a person says so: the splitter is told at once that it is another one, and compares.
import type { Logger } from 'pino';
import type { Rebuilt, RebuildInput } from '../../contracts/repair.js';
import type { Intakes } from './intake/intakes.js';
import type { Journals } from './journals.js';
import type { Site } from './site.js';

export interface RebuildOptions {
  readonly site: Site;
  readonly journals: Journals;
  readonly intakes: Intakes;
  readonly log: Logger;
}

/** @throws MoverError VOLUME_NOT_FOUND, CORRUPT when the journal can't be opened, STORAGE_FULL, STORAGE_FAILED */
export async function rebuild(
  { site, journals, intakes, log }: RebuildOptions,
  { volume, operator, reason }: RebuildInput,
): Promise<Rebuilt> {
  site.state.volume(volume);
  log.warn({ volume, operator, reason }, 'a rebuild of a journal is ordered');
  const intake = await intakes.intake(volume);
  const who = operator === undefined ? '' : ` by ${operator}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  await intake.startOver(`a rebuild of the history of volume "${volume}" was ordered${who}${why}`);
  return { volume, lineage: journals.lineage(volume), position: journals.durable(volume).position };
}
