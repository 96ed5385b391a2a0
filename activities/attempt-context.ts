// Looking up an attempt's record and everything the steps need to know of it.
import type { AttemptRecord, AttemptRef, AttemptVolume } from '../contracts/attempt.js';
import { attemptName } from '../contracts/attempt.js';
import { MoverError } from '../contracts/errors.js';
import type { SplitterId } from '../contracts/ids.js';
import type { ParsedMoveInput } from '../contracts/move.js';
import type { SplitterVolume } from '../contracts/splitter-api.js';
import type { AttemptContext } from '../contracts/steps.js';
import { endpointOf, findGroup, orUndefined } from '../control/site-lookup.js';
import { anyAppliance, applianceOf, splitterOf, type Ports, type SplitterPort } from '../control/ports.js';

/** The record, or undefined when the attempt was never heard of. */
export async function findAttempt(ports: Ports, { move, n }: AttemptRef): Promise<AttemptRecord | undefined> {
  return await orUndefined(
    'ATTEMPT_NOT_FOUND',
    anyAppliance(ports, ({ calls }) => calls.get({ move, n })),
  );
}

/** @throws MoverError ATTEMPT_ABORTED */
export function refuseAborted(record: AttemptRecord): void {
  if (record.state !== 'ABORTED') return;
  const why = record.reason ?? 'no reason kept';
  throw new MoverError('ATTEMPT_ABORTED', `Attempt ${attemptName(record.attempt)} was aborted: ${why}.`);
}

/** @throws MoverError ATTEMPT_ABORTED (a tombstone), GROUP_NOT_FOUND */
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

/** The volumes of the attempt, by the splitter that protects them. */
export function bySplitter(
  ports: Ports,
  volumes: readonly AttemptVolume[],
): { readonly splitter: SplitterPort; readonly volumes: AttemptVolume[] }[] {
  const groups = new Map<SplitterId, AttemptVolume[]>();
  for (const bound of volumes) groups.set(bound.splitter, [...(groups.get(bound.splitter) ?? []), bound]);
  return [...groups].map(([id, bound]) => ({ splitter: splitterOf(ports, id), volumes: bound }));
}

/** The attempt's volumes as their splitters see them now, in the attempt's order of splitters. */
export async function inventory(ports: Ports, { volumes }: AttemptContext): Promise<SplitterVolume[]> {
  const asked = await Promise.all(
    bySplitter(ports, volumes).flatMap(({ splitter, volumes: bound }) =>
      bound.map(async ({ volume }) => splitter.calls.inventory({ volume })),
    ),
  );
  return asked.flatMap((answer) => answer.volumes);
}

/**
 * Renews every fence of the attempt; past the commit there is nothing to renew.
 * @throws MoverError FENCE_LAPSED, CUT_VOID, NOT_FENCED, ATTEMPT_ABORTED
 */
export async function renewFences(ports: Ports, context: AttemptContext, leaseMs: number): Promise<void> {
  const { attempt, volumes } = context;
  try {
    await Promise.all(
      bySplitter(ports, volumes).map(async ({ splitter }) => splitter.calls.renew({ attempt, leaseMs })),
    );
  } catch (error) {
    // A splitter that has learned of the commit, and perhaps knows a newer attempt by now, has no
    // fence of this one.
    if ((await findAttempt(ports, attempt))?.state !== 'COMMITTED') throw error;
  }
}

/**
 * Renews the lease of the attempt, then that of every fence, which is never longer than the
 * attempt's own: at the deadline both end.
 * @returns how long they last from now on, milliseconds: a length, since the clocks of this process
 * and the replica site may differ.
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
