// Recovery points: closing, listing, finding and marking them.
import type { VolumeId } from '../../../contracts/ids.js';
import type { RecoveryPoint } from '../../../contracts/point.js';
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import { closePoint, type PointCloser } from '../close-point.js';
import { lockPoint } from '../core/bookmark-locks.js';
import { pageOfPoints } from '../core/listings.js';
import { doubtAbout } from '../core/point-doubt.js';
import { findPoint, markPoint } from '../core/points.js';
import { damagedMembers } from '../damage-text.js';

type PointCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  'listPoints' | 'markPoint' | 'lockPoint' | 'findPoint' | 'closePoint'
>;

export interface PointCallsOptions extends PointCloser {
  readonly isStalled: (volume: VolumeId) => boolean;
  /** Called with each point that was closed. */
  readonly onClosed: (point: RecoveryPoint) => void;
}

export function pointCalls(options: PointCallsOptions): PointCalls {
  const { site, journals, isStalled, onClosed } = options;
  const { state } = site;
  return {
    listPoints: async ({ group, volume, ...page }) => {
      if (group !== undefined) state.group(group);
      if (volume !== undefined) state.volume(volume);
      if (volume !== undefined) await journals.openAll([volume]);
      const { items: points, ...rest } = pageOfPoints(state, { group, volume, ...page });
      const damaged = damagedMembers(points, (member) => journals.open.get(member));
      return damaged.length === 0 ? { points, ...rest } : { points, damaged, ...rest };
    },
    markPoint: (input) => site.change((state, now) => markPoint(state, input, now.ageMs)),
    lockPoint: (input) => site.change((changed, now) => lockPoint(changed, input, now.ageMs)),
    findPoint: (query) => {
      if (query.group !== undefined) state.group(query.group);
      if (query.volume !== undefined) state.volume(query.volume);
      const point = findPoint(state, query);
      const doubt = query.atMs === undefined ? undefined : doubtAbout(state, query, point, query.atMs);
      return doubt === undefined ? point : { ...point, doubt };
    },
    closePoint: async (input, { signal }) => {
      const point = await closePoint(options, isStalled, input, signal);
      onClosed(point);
      return point;
    },
  };
}
