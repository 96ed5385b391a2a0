// The plan of a move: every reason against it at once. It only reads.
import type { Endpoint } from '../contracts/attempt.js';
import { hasRemedy } from '../contracts/error-registry.js';
import { MoverError, type ErrorCode, type Reason } from '../contracts/errors.js';
import type { MoveId } from '../contracts/ids.js';
import { isoTime } from '../contracts/iso-time.js';
import type { MovePlan, ParsedMoveInput } from '../contracts/move.js';
import type { SiteVolume } from '../contracts/replica-site-api.js';
import type { SplitterVolume } from '../contracts/splitter-api.js';
import type { Ports } from '../control/ports.js';
import { ClockComparison } from '../control/clock/compare-clocks.js';
import { endpointOf, findGroup, findVolume } from '../control/site-lookup.js';

/**
 * Checks a move against the present estate, and compares the clocks of the processes it asks.
 * @param own the move itself: its own open attempt does not block it.
 * @throws MoverError UNREACHABLE when no appliance answers.
 */
export async function planMove(ports: Ports, input: ParsedMoveInput, own?: MoveId): Promise<MovePlan> {
  const wanted = input.volumes ?? (input.volume === undefined ? [] : [input.volume]);
  const reasons: Reason[] = [];
  const addReason = (code: ErrorCode, subject: string, message: string): void =>
    void reasons.push({ code, subject, message });

  const found = await Promise.all(wanted.map((volume) => findVolume(ports, volume)));
  const volumes = found.flatMap((volume) => volume ?? []);
  wanted.forEach((volume, i) => {
    if (found[i] === undefined) addReason('VOLUME_NOT_FOUND', volume, `there is no volume "${volume}"`);
  });
  for (const volume of volumes) {
    if (volume.retired !== undefined)
      addReason('VOLUME_RETIRED', volume.volume, `volume "${volume.volume}" is retired`);
    if (volume.group === input.to)
      addReason('ALREADY_THERE', volume.volume, `volume "${volume.volume}" is in group "${input.to}" already`);
    else if (input.from !== undefined && volume.group !== input.from)
      addReason(
        'NOT_OWNER',
        volume.volume,
        `volume "${volume.volume}" is in group "${volume.group}", not "${input.from}"`,
      );
    const holder = holderOf(volume, own);
    if (holder !== undefined)
      addReason('VOLUME_BUSY', volume.volume, `volume "${volume.volume}" is being moved by ${holder}`);
    const { wayBack } = volume;
    if (wayBack !== undefined && !isAlongWayBack(wayBack, volumes, input))
      addReason(
        'STILL_REVERSIBLE',
        volume.volume,
        `volume "${volume.volume}" can go back to group "${wayBack.to}" until ${isoTime(wayBack.untilMs)}, and move nowhere else, since move ${wayBack.move} of ${wayBack.volumes} volumes is reversible; to end that: volume-mover finalize ${wayBack.move} --reason <why>`,
      );
  }
  const sources = new Set(volumes.map((volume) => volume.group));
  if (sources.size > 1)
    addReason(
      'INVALID_REQUEST',
      'volumes',
      `the volumes are in several groups (${[...sources].join(', ')}); one move takes volumes of one group only`,
    );

  const [source] = sources;
  const [origin, target] = await Promise.all([
    source === undefined ? undefined : findGroup(ports, source),
    findGroup(ports, input.to),
  ]);
  const from = endpointOf(ports, origin);
  const to = endpointOf(ports, target);
  if (target === undefined) addReason('GROUP_NOT_FOUND', 'to', `there is no consistency group "${input.to}"`);
  for (const [side, group, endpoint] of [
    ['from', origin, from],
    ['to', target, to],
  ] as const)
    if (group !== undefined && endpoint === undefined)
      addReason(
        'NOT_OWNER',
        side,
        `group "${group.group}" is served by appliance "${group.appliance}", which the estate file does not have`,
      );
  if (target?.retired !== undefined) addReason('GROUP_RETIRED', 'to', `group "${input.to}" is retired`);
  // What the move itself has reserved is in the group's count already.
  const hasReserved = ({ openAttempt }: SiteVolume): boolean => openAttempt !== undefined && openAttempt.move === own;
  // The old group of a reversible move keeps a place for each of its volumes.
  const hasPlace = (volume: SiteVolume): boolean => hasReserved(volume) || volume.wayBack?.to === input.to;
  const arriving = volumes.filter((volume) => volume.group !== input.to && !hasPlace(volume)).length;
  if (target !== undefined && arriving > 0 && target.volumes + target.reserved + arriving > target.volumesMax) {
    addReason(
      'GROUP_FULL',
      'to',
      `group "${input.to}" has room for ${target.volumesMax} volumes; ${target.volumes + target.reserved} are taken or reserved`,
    );
  }
  const clocks = new ClockComparison();
  const checked = await Promise.all(volumes.map((volume) => checkSplitter(ports, volume, own, addReason, clocks)));
  for (const served of [from, to]) if (served !== undefined) await checkGroup(ports, served, addReason, clocks);
  const { warnings } = clocks;
  return {
    ok: reasons.length === 0,
    reasons,
    ...(warnings.length === 0 ? {} : { warnings }),
    volumes: checked,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

/** Whether the move takes all volumes of a way back to where they came from. */
function isAlongWayBack(
  { move, to, volumes: count }: NonNullable<SiteVolume['wayBack']>,
  moving: readonly SiteVolume[],
  input: ParsedMoveInput,
): boolean {
  return to === input.to && moving.filter(({ wayBack }) => wayBack?.move === move).length === count;
}

/** The other move that holds the volume, if one does. */
function holderOf({ openAttempt }: SiteVolume, own: MoveId | undefined): MoveId | undefined {
  return openAttempt?.move === own ? undefined : openAttempt?.move;
}

/**
 * Refuses a plan with reasons. @throws MoverError MOVE_REFUSED with every reason, or the first
 * reason if the move waits for all to pass by themselves. For another move it waits only if it
 * queues.
 */
export function refuseUnlessOk({ ok, reasons, volumes }: MovePlan, { queue }: Pick<ParsedMoveInput, 'queue'>): void {
  if (ok) return;
  const listed = reasons.map((reason) => reason.message).join('; ');
  const passing = reasons.filter(({ code }) => hasRemedy(code, 'waiting'));
  const isWaitedFor = passing.length === reasons.length && (queue === true || !passing.some(isOfHolder));
  const [first] = reasons;
  const code = isWaitedFor && first !== undefined ? first.code : 'MOVE_REFUSED';
  const { heldBy, heldForMs } = volumes.find((volume) => volume.heldBy !== undefined) ?? {};
  const advice =
    heldBy === undefined || isWaitedFor || passing.length < reasons.length ? '' : ` ${holderAdvice(heldBy, heldForMs)}`;
  throw new MoverError(code, `The move cannot be made${isWaitedFor ? ' yet' : ''}: ${listed}.${advice}`, { reasons });
}

function isOfHolder({ code }: Reason): boolean {
  return code === 'VOLUME_BUSY';
}

export const QUEUE_ADVICE =
  'To wait for its end, and then move the volume if it is still in its group: start this move again with --queue ("queue": true).';

/** Advice to people whose volume another move holds. */
function holderAdvice(holder: string, leaseMs: number | undefined): string {
  return [
    `To follow that move: volume-mover watch ${holder}. To end it: volume-mover cancel ${holder}.`,
    QUEUE_ADVICE,
    `A move that no longer runs lets go by itself when its lease ends, in ${secondsText(leaseMs)}; --take-over does not wait for that.`,
  ].join(' ');
}

/** @example "42 s" */
function secondsText(ms: number | undefined): string {
  return ms === undefined ? 'about a minute' : `${Math.ceil(ms / 1_000)} s`;
}

type AddReason = (code: ErrorCode, subject: string, message: string) => void;

async function checkGroup(
  ports: Ports,
  served: Endpoint,
  addReason: AddReason,
  clocks: ClockComparison,
): Promise<void> {
  const appliance = ports.appliances.get(served.appliance);
  try {
    const asked = clocks.ask();
    const described = await appliance?.calls.describe({});
    clocks.answered(`appliance ${served.appliance}`, asked, described?.clock);
    clocks.seenBy(`appliance ${served.appliance}`, described?.skews ?? []);
    if (described?.pausedGroups.includes(served.group) === true)
      addReason('GROUP_PAUSED', served.group, `replication of group "${served.group}" is paused`);
    if (described?.servedGroups?.includes(served.group) === false)
      addReason(
        'NOT_OWNER',
        served.group,
        `appliance "${served.appliance}" does not serve group "${served.group}" now`,
      );
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    addReason(
      error.code,
      served.appliance,
      `appliance "${served.appliance}" of group "${served.group}" does not answer: ${error.message}`,
    );
  }
}

async function checkSplitter(
  ports: Ports,
  volume: SiteVolume,
  own: MoveId | undefined,
  addReason: AddReason,
  clocks: ClockComparison,
): Promise<MovePlan['volumes'][number]> {
  const heldBy = holderOf(volume, own);
  const { openAttemptLeaseMs: leaseMs } = volume;
  const planned = {
    volume: volume.volume,
    sizeBytes: volume.sizeBytes,
    splitter: volume.splitter,
    epoch: volume.epoch,
    undistributedBytes: volume.undistributedBytes,
    ...(heldBy === undefined ? {} : { heldBy }),
    ...(heldBy === undefined || leaseMs === undefined ? {} : { heldForMs: leaseMs }),
  };
  const split = await askSplitter(ports, volume, addReason, clocks);
  if (split === undefined) return { ...planned, unconfirmedBytes: 0 };
  if (split.route.epoch !== volume.epoch || split.route.group !== volume.group) {
    addReason(
      'PENDING_VERDICT',
      volume.volume,
      `splitter "${volume.splitter}" has not learned yet that volume "${volume.volume}" belongs to group "${volume.group}"`,
    );
  }
  if (split.unreadable !== undefined)
    addReason(
      'SOURCE_UNREADABLE',
      volume.volume,
      split.notes.join(' ') || `parts of volume "${volume.volume}" can't be read`,
    );
  return { ...planned, unconfirmedBytes: split.unconfirmedBytes };
}

async function askSplitter(
  ports: Ports,
  volume: SiteVolume,
  addReason: AddReason,
  clocks: ClockComparison,
): Promise<SplitterVolume | undefined> {
  const splitter = ports.splitters.get(volume.splitter);
  if (splitter === undefined) {
    addReason(
      'VOLUME_NOT_FOUND',
      volume.volume,
      `the estate has no splitter "${volume.splitter}", which protects volume "${volume.volume}"`,
    );
    return undefined;
  }
  try {
    const asked = clocks.ask();
    const { volumes, clock } = await splitter.calls.inventory({ volume: volume.volume });
    clocks.answered(`splitter ${volume.splitter}`, asked, clock);
    return volumes[0];
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    addReason(
      error.code,
      volume.splitter,
      `splitter "${volume.splitter}" does not answer for volume "${volume.volume}": ${error.message}`,
    );
    return undefined;
  }
}
