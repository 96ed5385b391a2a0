// Looks up an attempt's record and everything that the steps need to know about it.
import type { AttemptRecord, AttemptRef, AttemptVolume } from '../contracts/attempt.js';
import { attemptName } from '../contracts/attempt.js';
import { MoverError } from '../contracts/errors.js';
import type { SplitterId } from '../contracts/ids.js';
import type { ParsedMoveInput } from '../contracts/move.js';
import type { SplitterVolume } from '../contracts/splitter-api.js';
import type { AttemptContext } from '../contracts/steps.js';
import { endpointOf, findGroup, orUndefined } from '../control/site-lookup.js';
import { anyAppliance, applianceOf, splitterOf, type Ports, type SplitterPort } from '../control/ports.js';

/** Finds the record; undefined for an attempt that the replica site has never seen. */
export async function findAttempt(ports: Ports, { move, n }: AttemptRef): Promise<AttemptRecord | undefined> {
  return await orUndefined(
    'ATTEMPT_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.get({ move, n })),
  );
}

/** Refuses an aborted attempt. @throws MoverError ATTEMPT_ABORTED */
export function refuseAborted(record: AttemptRecord): void {
  if (record.state !== 'ABORTED') return;
  const why = record.reason ?? 'no reason kept';
  throw new MoverError('ATTEMPT_ABORTED', `Attempt ${attemptName(record.attempt)} was aborted: ${why}.`);
}

/**
 * Builds the context from a record. @throws MoverError ATTEMPT_ABORTED (a tombstone),
 * GROUP_NOT_FOUND
 */
export async function contextOf(
  ports: Ports,
  record: AttemptRecord,
  options: ParsedMoveInput['options'],
): Promise<AttemptContext> {
  const { contents, attempt } = record;
  if (contents === undefined) {
    throw new MoverError('ATTEMPT_ABORTED', `Attempt ${attemptName(attempt)} was aborted before it was opened.`);
  }
  const [from, to] = await Promise.all(
    [contents.from, contents.to].map(async (id) => endpointOf(ports, await findGroup(ports, id))),
  );
  if (from === undefined || to === undefined) {
    const missing = from === undefined ? contents.from : contents.to;
    throw new MoverError('GROUP_NOT_FOUND', `The estate no longer has group "${missing}".`);
  }
  return { attempt: { ...attempt, ticket: contents.ticket }, volumes: contents.volumes, from, to, options };
}

/** Groups the attempt's volumes by the splitter that protects them. */
export function bySplitter(
  ports: Ports,
  volumes: readonly AttemptVolume[],
): { readonly splitter: SplitterPort; readonly volumes: AttemptVolume[] }[] {
  const groups = new Map<SplitterId, AttemptVolume[]>();
  for (const bound of volumes) groups.set(bound.splitter, [...(groups.get(bound.splitter) ?? []), bound]);
  return [...groups].map(([id, bound]) => ({ splitter: splitterOf(ports, id), volumes: bound }));
}

/** The splitters' current view of the attempt's volumes, in the attempt's order of splitters. */
export async function inventory(ports: Ports, { volumes }: AttemptContext): Promise<SplitterVolume[]> {
  const asked = await Promise.all(
    bySplitter(ports, volumes).flatMap(({ splitter, volumes: bound }) =>
      bound.map(async ({ volume }) => splitter.calls.inventory({ volume })),
    ),
  );
  return asked.flatMap((answer) => answer.volumes);
}

/** Bytes of the attempt's volumes that the replica site has not applied yet. */
export async function undistributedBytes(ports: Ports, { from, volumes }: AttemptContext): Promise<number> {
  const appliance = applianceOf(ports, from.appliance);
  const lags = await Promise.all(volumes.map(async ({ volume }) => appliance.calls.lag({ volume })));
  return lags.reduce((sum, lag) => sum + lag.undistributedBytes, 0);
}

/**
 * Renews every fence of the attempt. After the commit there is nothing to renew.
 * @throws MoverError FENCE_LAPSED, CUT_VOID, NOT_FENCED, ATTEMPT_ABORTED
 */
export async function renewFences(ports: Ports, context: AttemptContext, leaseMs: number): Promise<void> {
  const { attempt, volumes } = context;
  try {
    await Promise.all(
      bySplitter(ports, volumes).map(async ({ splitter }) => splitter.calls.renew({ attempt, leaseMs })),
    );
  } catch (error) {
    // A splitter that has learned of the commit, and may know a newer attempt, has no fence of this
    // one.
    if ((await findAttempt(ports, attempt))?.state !== 'COMMITTED') throw error;
  }
}

/**
 * Renews the attempt's lease, then every fence's for as long as the attempt's was granted: while it
 * drains, both end at the deadline. The later steps renew fences in full, so one may outlast the
 * deadline by one lease. A lease never decides, so that is safe.
 * @returns how long they last from now, ms; a duration, since this process's clock and the replica
 * site's may differ.
 * @throws MoverError FENCE_LAPSED, CUT_VOID, NOT_FENCED, ATTEMPT_ABORTED, ATTEMPT_COMMITTED
 */
export async function renewLeases(ports: Ports, context: AttemptContext): Promise<number> {
  const { move, n } = context.attempt;
  const { leaseMs } = context.options;
  const { contents } = await applianceOf(ports, context.from.appliance).calls.renew({ attempt: { move, n }, leaseMs });
  const grantedMs = Math.min(leaseMs, contents?.lease?.ms ?? leaseMs);
  await renewFences(ports, context, grantedMs);
  return grantedMs;
}
