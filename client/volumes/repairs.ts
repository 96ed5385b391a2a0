// Repairs that a person orders after a loss: resend a volume, rebuild its history, decide about its
// disk.
import { anyAppliance, type Ports, splitterOf, type SplitterPort } from '../../control/ports.js';
import { findVolume } from '../../control/site-lookup.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import type { Estate } from '../../contracts/estate.js';
import type { VolumeId } from '../../contracts/ids.js';
import {
  decideSourceInputSchema,
  type Range,
  rebuildInputSchema,
  type Rebuilt,
  type repairReplicaApi,
  resyncInputSchema,
} from '../../contracts/repair.js';
import type { InputOf } from '../../contracts/route.js';
import type { splitterApi, SplitterVolume } from '../../contracts/splitter-api.js';
import { VERIFY_REGION_BYTES, type VerifyReport } from '../../contracts/verify.js';
import type { Verification } from '../verifications/verification-client.js';

export type ResyncOrder = InputOf<typeof splitterApi.resync>;
export type SourceOrder = InputOf<typeof splitterApi.decideSource>;
export type RebuildOrder = InputOf<typeof repairReplicaApi.rebuild>;

export interface RepairsOptions {
  /**
   * Ports with a long time limit: opening a recovery point or reading a journal may take a while.
   */
  readonly ports: Ports;
  readonly estate: Estate;
}

/**
 * Resends a volume. @throws MoverError INVALID_REQUEST, VOLUME_NOT_FOUND, VOLUME_BUSY,
 * SOURCE_UNPROVEN, SOURCE_MISSING, FOREIGN_SOURCE, UNREACHABLE
 */
export async function resync(options: RepairsOptions, input: ResyncOrder): Promise<SplitterVolume> {
  const order = parseOrRefuse(resyncInputSchema, input, 'resync');
  return await (await splitterWith(options, order.volume)).calls.resync(order);
}

/**
 * Decides about a volume's disk. @throws MoverError INVALID_REQUEST, VOLUME_NOT_FOUND,
 * SOURCE_PRESENT, SOURCE_DECISION_REFUSED, VOLUME_BUSY, POINT_NOT_FOUND, POINT_UNAVAILABLE,
 * UNREACHABLE
 */
export async function decideSource(options: RepairsOptions, input: SourceOrder): Promise<SplitterVolume> {
  const order = parseOrRefuse(decideSourceInputSchema, input, 'source');
  return await (await splitterWith(options, order.volume)).calls.decideSource(order);
}

/**
 * Rebuilds a volume's history. @throws MoverError INVALID_REQUEST, VOLUME_NOT_FOUND, CORRUPT,
 * UNREACHABLE
 */
export async function rebuild({ ports }: RepairsOptions, input: RebuildOrder): Promise<Rebuilt> {
  const order = parseOrRefuse(rebuildInputSchema, input, 'rebuild');
  return await anyAppliance(ports, ({ calls }) => calls.rebuild(order));
}

/**
 * The splitter's view of a volume, even if the replica site does not know it.
 * @throws MoverError VOLUME_NOT_FOUND, UNREACHABLE
 */
export async function splitterView(options: RepairsOptions, volume: VolumeId): Promise<SplitterVolume> {
  const { volumes } = await (await splitterWith(options, volume)).calls.inventory({ volume });
  const [view] = volumes;
  if (view === undefined) throw noSuchVolume(volume);
  return view;
}

/**
 * What a verification found of a volume, to be sent again; undefined when it found more than it
 * lists. @throws MoverError INVALID_REQUEST when it found no difference of this volume
 */
export function rangesFound(
  { workflowId, state, report }: Pick<Verification, 'workflowId' | 'state' | 'report'>,
  volume: VolumeId,
): readonly Range[] | undefined {
  const refuse = (why: string): MoverError =>
    new MoverError(
      'INVALID_REQUEST',
      `${why}, so nothing is sent. To compare the whole volume: volume-mover resync ${volume}`,
    );
  if (state === 'running')
    throw new MoverError(
      'INVALID_REQUEST',
      `Verification ${workflowId} still runs, so nothing is sent. When it has ended, try again; how far it is: volume-mover verification status ${workflowId}`,
    );
  if (report === undefined) throw refuse(`Verification ${workflowId} (${state}) ended without a verdict`);
  if (report.volume !== volume)
    throw refuse(`Verification ${workflowId} is of volume "${report.volume}", not of "${volume}"`);
  if (report.mismatches.length === 0)
    throw refuse(`Verification ${workflowId} found no difference of volume "${volume}"`);
  return rangesOf(report);
}

/**
 * The ranges that a verification found; undefined when it found more than it lists, so that the
 * whole volume is compared.
 */
function rangesOf({ mismatches, mismatchedRegions }: VerifyReport): readonly Range[] | undefined {
  const listed = mismatches.reduce((sum, { length }) => sum + Math.ceil(length / VERIFY_REGION_BYTES), 0);
  return listed < mismatchedRegions ? undefined : mismatches.map(({ offset, length }) => ({ offset, length }));
}

/**
 * Finds the splitter by the estate file, since the replica site may have lost its records; and by
 * the replica site if the file does not have the volume, which may have been added at run time.
 */
async function splitterWith({ ports, estate }: RepairsOptions, volume: VolumeId): Promise<SplitterPort> {
  const declared = estate.splitters.find(({ volumes }) => volumes.some(({ id }) => id === volume))?.id;
  const splitter = declared ?? (await findVolume(ports, volume))?.splitter;
  if (splitter === undefined) throw noSuchVolume(volume);
  return splitterOf(ports, splitter);
}

function noSuchVolume(volume: VolumeId): MoverError {
  return new MoverError('VOLUME_NOT_FOUND', `No splitter of the estate has a volume "${volume}".`);
}
