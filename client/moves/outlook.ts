// What to expect of a planned move: bytes, time, the points that stay, and its steps.
import type { MovePlan, PlanOutlook } from '../../contracts/move.js';
import type { VolumeId } from '../../contracts/ids.js';
import { MoverError } from '../../contracts/errors.js';
import type { Ports } from '../../control/ports.js';
import { listPoints } from '../points/list.js';
import type { ListedMove } from './move-client.js';

/** Recent moves that the expected duration is measured on. */
export const MEASURED_MAX = 20;

/** @param recent ended moves; none when Temporal does not answer */
export async function outlookOf(ports: Ports, plan: MovePlan, recent: readonly ListedMove[]): Promise<PlanOutlook> {
  const { volumes } = plan;
  const tookMs = recent
    .flatMap(({ startedAtMs, endedAtMs }) => (endedAtMs === undefined ? [] : [endedAtMs - startedAtMs]))
    .toSorted((a, b) => a - b);
  const expectedMs = tookMs[Math.floor(tookMs.length / 2)];
  return {
    bytesToFlush: volumes.reduce((sum, each) => sum + each.unconfirmedBytes + each.undistributedBytes, 0),
    ...(expectedMs === undefined ? {} : { expectedMs }),
    measured: tookMs.length,
    points: await Promise.all(volumes.map(async ({ volume }) => pointsOf(ports, volume))),
    steps: stepsOf(plan),
  };
}

async function pointsOf(ports: Ports, volume: VolumeId): Promise<PlanOutlook['points'][number]> {
  try {
    const { points } = await listPoints(ports, { volume });
    const [oldest] = points;
    return { volume, count: points.length, ...(oldest === undefined ? {} : { oldestAtMs: oldest.atMs }) };
  } catch (error) {
    if (error instanceof MoverError) return { volume, count: 0 };
    throw error;
  }
}

/** The steps of this very move. */
function stepsOf({ volumes, from, to }: MovePlan): PlanOutlook['steps'] {
  if (from === undefined || to === undefined) return [];
  const names = volumes.map(({ volume }) => volume).join(', ');
  const splitters = [...new Set(volumes.map(({ splitter }) => splitter))].join(', ');
  const next = volumes.map(({ epoch }) => `${epoch} → ${epoch + 1}`).join(', ');
  return [
    {
      step: 'notify',
      does: `open an attempt, reserve room in ${to.group}; ${splitters} connects to ${to.appliance}; writes still go to ${from.group}`,
    },
    { step: 'flush', does: `fence ${names} at ${splitters}; ${from.appliance} applies everything up to the cut` },
    { step: 'snapshot', does: `seal a recovery point of ${from.group} at the cut` },
    { step: 'bookmark', does: `name it: the last point of ${from.group} with ${names}` },
    {
      step: 'reconfigure',
      does: `commit: ${to.group} owns ${names} (epoch ${next}); writes go to ${to.appliance}; the first point of ${to.group} with them is named`,
    },
  ];
}
