// The lives of a splitter: session numbers that no two lives share, and by which the replica site's former ones are known again.
import { z } from 'zod';
import { lifeIdSchema, type LifeId } from '../../contracts/lineage.js';
import { sessionSchema } from '../../contracts/numbers.js';
import type { RowStore } from '../store/row-store.js';
import { newLifeId } from './identities.js';

export const META_TABLE = 'meta';
const SESSION_KEY = 'session';
const LIVES_KEY = 'lives';
/** Lives that are remembered: the replica site names the last one that attached a volume, which may be long ago. */
const LIVES_MAX = 1_000;

const livesSchema = z.array(lifeIdSchema);

export interface Lives {
  /** This life. */
  readonly life: LifeId;
  /** This life's session number. */
  readonly session: number;
  /** Whether it is this life or an earlier one of this folder. A life that is not known lived after the folder was copied, or elsewhere. */
  readonly isKnown: (life: LifeId) => boolean;
  /** A session number that was never used, and is not below `min`. @throws MoverError STORAGE_FULL, STORAGE_FAILED */
  readonly nextSession: (min?: number) => number;
}

/** Begins a life: stored before anything is served. @throws MoverError STORAGE_FULL, STORAGE_FAILED; ZodError for rows of another form */
export function beginLife(store: RowStore): Lives {
  const stored = new Map(store.rows(META_TABLE));
  const before = stored.get(LIVES_KEY);
  const life = newLifeId();
  const lives = [...(before === undefined ? [] : livesSchema.parse(before)), life].slice(-LIVES_MAX);
  const known = new Set(lives);
  const last = stored.get(SESSION_KEY);
  let newest = (last === undefined ? 0 : sessionSchema.parse(last)) + 1;
  store.commit([
    { table: META_TABLE, key: SESSION_KEY, value: newest },
    { table: META_TABLE, key: LIVES_KEY, value: lives },
  ]);
  return {
    life,
    session: newest,
    isKnown: (other) => known.has(other),
    nextSession: (min = 0) => {
      const next = Math.max(newest + 1, min);
      store.commit([{ table: META_TABLE, key: SESSION_KEY, value: next }]);
      newest = next;
      return next;
    },
  };
}
