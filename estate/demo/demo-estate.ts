// The demo's estate: the one of `npm start` on free ports, with recovery points every second so
// that a short demo gets some.
import { readEstateFile } from '../../client/estate-file.js';
import type { Estate } from '../../contracts/estate.js';
import { DEFAULT_ESTATE_FILE } from '../project.js';
import { onFreePorts } from '../ports.js';

const POINT_EVERY_MS = 1_000;

export async function demoEstate(): Promise<Estate> {
  const estate = onFreePorts(readEstateFile(DEFAULT_ESTATE_FILE));
  return { ...estate, groups: estate.groups.map((group) => ({ ...group, pointEveryMs: POINT_EVERY_MS })) };
}
