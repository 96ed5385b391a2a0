// Finds one recovery point of a volume or a group: by its id, by a time, or the newest.
import type { PointId } from '../../contracts/ids.js';
import { momentMs } from '../../contracts/moment.js';
import type { FoundPoint } from '../../contracts/point.js';
import { anyAppliance, type Ports } from '../../control/ports.js';
import type { PointOwner } from './list.js';

export type PointInput = PointOwner & {
  /** The point's id. Without this and `atMs` it is the newest point. */
  readonly point?: PointId | undefined;
  /**
   * Finds the last point, in the order of the timeline, whose time is not later than this:
   * milliseconds since 1970-01-01 UTC, or text ("2026-11-23T10:00:00Z", "-2h").
   */
  readonly atMs?: number | string | undefined;
};

/** Finds a point. @throws MoverError INVALID_REQUEST, POINT_NOT_FOUND, UNREACHABLE */
export async function findPoint(ports: Ports, input: PointInput): Promise<FoundPoint> {
  const { point } = input;
  const atMs = input.atMs === undefined ? undefined : momentMs(input.atMs, 'atMs', Date.now());
  return await anyAppliance(ports, ({ calls }) =>
    calls.findPoint({
      ...('volume' in input ? { volume: input.volume } : { group: input.group }),
      ...(point === undefined ? {} : { point }),
      ...(atMs === undefined ? {} : { atMs }),
    }),
  );
}
