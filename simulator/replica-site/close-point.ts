// Closes a recovery point: waits until its cuts are durable here, and leaves out those that are not
// in time.
import type { VolumeId } from '../../contracts/ids.js';
import type { LeftOut, RecoveryPoint } from '../../contracts/point.js';
import type { replicaSiteApi } from '../../contracts/replica-site-api.js';
import type { ParsedInputOf } from '../../contracts/route.js';
import { closeGroupPoint } from './core/attempts.js';
import { cutsReached, type NewPoint } from './core/points.js';
import type { Durability } from './durability.js';
import type { Journals } from './journals.js';
import type { Site } from './site.js';

type ClosePointInput = ParsedInputOf<(typeof replicaSiteApi)['closePoint']>;
type PointCut = NewPoint['cuts'][number];

export interface PointCloser {
  readonly site: Site;
  readonly journals: Journals;
  readonly durability: Durability;
}

/**
 * Closes a point of a group.
 * @param isStalled whether the site takes no records of a volume: the point doesn't wait for it
 * @throws MoverError GROUP_NOT_FOUND; the signal's reason
 */
export async function closePoint(
  closer: PointCloser,
  isStalled: (volume: VolumeId) => boolean,
  input: ClosePointInput,
  signal: AbortSignal,
): Promise<RecoveryPoint> {
  const { site, journals } = closer;
  const { waitMs, ...point } = input;
  site.state.group(input.group);
  await journals.openAll(input.cuts.map((cut) => cut.volume));
  const awaited = input.cuts.filter((cut) => !isStalled(cut.volume));
  await whenReached(closer, awaited, waitMs, signal);
  signal.throwIfAborted();
  // A volume whose journal can't be read, or has lost writes, is left out: nothing can be promised
  // for it.
  const usable = point.cuts.filter((cut) => !isInDoubt(journals, cut.volume));
  const unusable = point.cuts
    .filter((cut) => isInDoubt(journals, cut.volume))
    .map((cut): LeftOut => ({ volume: cut.volume, reason: 'inconsistent' }));
  return site.change((state, now) =>
    closeGroupPoint(state, { ...point, cuts: usable, leftOut: [...point.leftOut, ...unusable] }, now),
  );
}

function isInDoubt(journals: Journals, volume: VolumeId): boolean {
  if (journals.unusable.has(volume)) return true;
  const journal = journals.open.get(volume);
  return journal?.damageAt(journal.durable.position) !== undefined;
}

/** Resolves when every cut is durable here, or after `waitMs`. */
export async function whenReached(
  { site, durability }: PointCloser,
  cuts: readonly PointCut[],
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const isBehind = (cut: PointCut): boolean => !cutsReached(site.state, [cut]);
  const behind = new Set(cuts.filter(isBehind));
  if (behind.size === 0 || waitMs === 0 || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const stop: (() => void)[] = [];
    const finish = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      for (const stopListening of stop) stopListening();
      resolve();
    };
    const timer = setTimeout(finish, waitMs);
    signal.addEventListener('abort', finish, { once: true });
    for (const cut of behind) {
      stop.push(
        durability.listen(cut.volume, () => {
          if (isBehind(cut) || !behind.delete(cut)) return;
          if (behind.size === 0) finish();
        }),
      );
    }
  });
}
