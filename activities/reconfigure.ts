// Step 5: adopts (the commit), tells the splitters, and waits for the first point of the new group
// with every moved volume.
import type { AttemptRecord } from '../contracts/attempt.js';
import { MoverError } from '../contracts/errors.js';
import type { VolumeId } from '../contracts/ids.js';
import type { MovedVolume } from '../contracts/move.js';
import type { Hole } from '../contracts/point.js';
import type { Learned } from '../contracts/splitter-api.js';
import type { AttemptContext, Flushed, Reconfigured } from '../contracts/steps.js';
import { bySplitter, findAttempt, inventory, renewFences } from './attempt-context.js';
import { anyAppliance, applianceOf, type Ports } from '../control/ports.js';
import type { StepRun } from './run.js';

/** First pause between tries to close a point with every moved volume, ms. */
const JOIN_PAUSE_MS_MIN = 20;
const JOIN_PAUSE_MS_MAX = 1_000;

/**
 * Reconfigures. @throws MoverError ATTEMPT_ABORTED, NOT_SEALED, FENCE_LAPSED (before the commit),
 * STALE_ATTEMPT (moved again before it joined)
 */
export async function reconfigure(
  ports: Ports,
  context: AttemptContext,
  flushed: Flushed,
  run: StepRun,
): Promise<Reconfigured> {
  const { decidedAtMs, left, seals, wayBack } = await adopt(ports, context);
  run.heartbeat({ doing: 'teaching splitters', bytesLeft: 0 });
  const learned = await sendVerdict(ports, context);
  const joined = await waitForJoin(ports, context, run);
  if (left === undefined || decidedAtMs === undefined) {
    throw new MoverError('INTERNAL', 'A committed attempt has a snapshot and a time.');
  }
  return {
    committedAtMs: decidedAtMs,
    ...(wayBack === undefined ? {} : { reversibleUntilMs: wayBack.untilMs }),
    learnedAtMs: learned.length === 0 ? decidedAtMs : Math.max(...learned.map((entry) => entry.atMs)),
    left: { point: left.point, name: left.name },
    joined,
    volumes: await movedVolumes(ports, context, flushed, seals, learned),
  };
}

/**
 * Commits. Renewing first tells a lapsed fence from a slow worker; after the commit leases don't
 * matter.
 */
async function adopt(ports: Ports, context: AttemptContext): Promise<AttemptRecord> {
  const { move, n } = context.attempt;
  const { leaseMs } = context.options;
  await renewFences(ports, context, leaseMs);
  return await applianceOf(ports, context.to.appliance).calls.adopt({ attempt: { move, n }, leaseMs });
}

/**
 * Sends the commit to the splitters. One that knows newer attempts has received it before and
 * refuses to answer.
 */
async function sendVerdict(ports: Ports, { attempt, volumes, to }: AttemptContext): Promise<Learned[]> {
  const answers = await Promise.all(
    bySplitter(ports, volumes).map(async ({ splitter, volumes: bound }) => {
      try {
        return (await splitter.calls.learn({ attempt, verdict: 'COMMITTED', volumes: bound, to })).learned;
      } catch (error) {
        if (!(error instanceof MoverError) || error.code !== 'STALE_ATTEMPT') throw error;
        return [];
      }
    }),
  );
  return answers.flat();
}

async function waitForJoin(ports: Ports, context: AttemptContext, run: StepRun): Promise<Reconfigured['joined']> {
  for (let pauseMs = JOIN_PAUSE_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, JOIN_PAUSE_MS_MAX)) {
    const joined = await tryToJoin(ports, context);
    if (joined !== undefined) return joined;
    const splits = await inventory(ports, context);
    run.heartbeat({
      doing: 'waiting for join',
      bytesLeft: splits.reduce((sum, split) => sum + split.unconfirmedBytes, 0),
    });
    await run.sleep(pauseMs);
  }
}

/**
 * Asks for the join. A replica site that was put back has forgotten the commit; it takes it over
 * from the splitters as they attach.
 */
async function tryToJoin(ports: Ports, { attempt, to }: AttemptContext): Promise<AttemptRecord['joined']> {
  const { move, n } = attempt;
  try {
    return (await applianceOf(ports, to.appliance).calls.join({ attempt: { move, n } })).joined;
  } catch (error) {
    if (!(error instanceof MoverError) || error.code !== 'NOT_COMMITTED') throw error;
    if ((await findAttempt(ports, attempt))?.state === 'ABORTED') throw error;
    return undefined;
  }
}

async function movedVolumes(
  ports: Ports,
  context: AttemptContext,
  flushed: Flushed,
  seals: AttemptRecord['seals'],
  learned: readonly Learned[],
): Promise<MovedVolume[]> {
  const splits = await inventory(ports, context);
  return await Promise.all(
    context.volumes.map(async ({ volume, splitter, epoch }): Promise<MovedVolume> => {
      const cut = seals.find((seal) => seal.volume === volume);
      const split = splits.find((candidate) => candidate.volume === volume);
      if (cut === undefined || split === undefined) {
        throw new MoverError('INTERNAL', `A committed attempt has a seal of volume "${volume}".`);
      }
      const resentBefore = flushed.resentBytes.find((entry) => entry.volume === volume)?.bytes ?? 0;
      return {
        volume,
        splitter,
        epochBefore: epoch,
        epochAfter: epoch + 1,
        cut,
        backlogBytes: learned.find((entry) => entry.volume === volume)?.backlogBytes ?? 0,
        // A splitter that restarted since then counts from zero.
        resentBytes: Math.max(0, split.resentBytes - resentBefore),
        holes: await holesSince(ports, volume, cut.position),
      };
    }),
  );
}

async function holesSince(ports: Ports, volume: VolumeId, position: number): Promise<Hole[]> {
  const { holes } = await anyAppliance(ports, async (appliance) => appliance.calls.listPoints({ volume, limit: 1 }));
  return holes.filter((hole) => (hole.toPosition ?? Number.MAX_SAFE_INTEGER) > position);
}
