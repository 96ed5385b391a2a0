// The rows of the splitter's volumes at a start: stored ones where there are any, else rows from
// the estate file.
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import {
  endpointSchema,
  ticketedAttemptSchema,
  verdictSchema,
  writeMarkSchema,
  type Endpoint,
} from '../../contracts/attempt.js';
import { clockDoubtSchema } from '../../contracts/clock.js';
import { parseOrRefuse } from '../../contracts/errors.js';
import { controlUrl, type Estate, type EstateVolume } from '../../contracts/estate.js';
import { type ApplianceId, type SplitterId, type VolumeId, volumeIdSchema } from '../../contracts/ids.js';
import { sourceIdSchema } from '../../contracts/lineage.js';
import { LEASE_MS_DEFAULT } from '../../contracts/move.js';
import {
  bytesSchema,
  countSchema,
  durationMsSchema,
  epochSchema,
  sessionSchema,
  timeMsSchema,
} from '../../contracts/numbers.js';
import type { UnusableVolume } from '../../contracts/splitter-api.js';
import type { VolumeSplitRow } from './core/volume-split.js';
import { newSourceId } from './shared/identities.js';

const MIB = 1024 * 1024;

const rowSchema = z.strictObject({
  volume: volumeIdSchema,
  sizeBytes: bytesSchema,
  formerBytes: bytesSchema.exactOptional(),
  route: endpointSchema.extend({ epoch: epochSchema }),
  notice: z
    .strictObject({
      attempt: ticketedAttemptSchema,
      from: endpointSchema,
      to: endpointSchema,
      resolvers: z.array(z.url()),
    })
    .exactOptional(),
  fence: z
    .strictObject({
      attempt: ticketedAttemptSchema,
      cut: writeMarkSchema,
      atMs: timeMsSchema,
      doubt: clockDoubtSchema.exactOptional(),
      /** Written by earlier versions: an instant of a clock that has no meaning now. */
      leaseExpiresAtMs: timeMsSchema.exactOptional(),
      lease: z
        .strictObject({ session: sessionSchema, untilMs: timeMsSchema, ms: durationMsSchema })
        .default({ session: 0, untilMs: 0, ms: LEASE_MS_DEFAULT }),
      lapsed: z.boolean(),
    })
    .transform(({ leaseExpiresAtMs: _old, ...fence }) => fence)
    .exactOptional(),
  decided: z
    .strictObject({
      attempt: ticketedAttemptSchema,
      verdict: verdictSchema,
      atMs: timeMsSchema,
      backlogBytes: bytesSchema,
    })
    .exactOptional(),
  forgotten: countSchema.exactOptional(),
  // A row from before disks had identities gets one.
  source: sourceIdSchema.prefault(newSourceId),
  replaces: z.literal(true).exactOptional(),
  proven: z.literal(true).exactOptional(),
  refused: z.enum(['missing', 'foreign']).exactOptional(),
  comparing: z.string().exactOptional(),
  retired: z.strictObject({ atMs: timeMsSchema }).exactOptional(),
});

/** One difference between the estate file and what is here, for as long as it is there. */
export interface Drift {
  readonly sentence: string;
  /**
   * Whether it is still there: a person may have ended it at run time.
   * @param servedBytesOf size of a volume that is served now; undefined for any other
   */
  readonly holds: (servedBytesOf: (volume: VolumeId) => number | undefined) => boolean;
}

export interface VolumeRows {
  readonly rows: readonly VolumeSplitRow[];
  /** Rows that differ from the stored ones, or are new. */
  readonly unstored: readonly VolumeSplitRow[];
  /**
   * Volumes that are left out, without effect on the others. Their stored rows stay as they are.
   */
  readonly unusable: readonly UnusableVolume[];
  /** Volumes that a person retired: not served. */
  readonly retired: readonly VolumeId[];
  /** What the estate file says otherwise. */
  readonly drift: readonly Drift[];
}

/**
 * The rows of the splitter's volumes. A stored row wins, except for its appliances' addresses,
 * which come from the estate file. A volume that the file has left out is served and protected all
 * the same, unless the file gives it to another splitter.
 */
export function volumeRows(estate: Estate, splitter: SplitterId, stored: ReadonlyMap<string, unknown>): VolumeRows {
  const volumes = estate.splitters.find(({ id }) => id === splitter)?.volumes ?? [];
  const addresses = addressesOf(estate);
  const rows: VolumeSplitRow[] = [];
  const unstored: VolumeSplitRow[] = [];
  const unusable: UnusableVolume[] = [];
  const retired: VolumeId[] = [];
  const drift: Drift[] = [];
  const take = (found: VolumeSplitRow | UnusableVolume, content: unknown): void => {
    if ('reason' in found) unusable.push(found);
    else if (found.retired !== undefined) retired.push(found.volume);
    else {
      rows.push(found);
      if (!isDeepStrictEqual(found, content)) unstored.push(found);
    }
  };
  for (const volume of volumes) {
    const content = stored.get(volume.id);
    const found = content === undefined ? firstRow(estate, volume, addresses) : laterRow(volume.id, content, addresses);
    take(found, content);
    if ('retired' in found && found.retired !== undefined)
      drift.push({
        sentence: `Volume "${volume.id}" is in the estate file, but was retired: it is not served. Remove it from the file.`,
        holds: (servedBytesOf) => servedBytesOf(volume.id) === undefined,
      });
    else if ('sizeBytes' in found && found.sizeBytes !== volume.sizeMiB * MIB)
      drift.push({
        sentence: `Volume "${volume.id}" has ${found.sizeBytes / MIB} MiB here, and ${volume.sizeMiB} MiB in the estate file. It is served and protected with the size it has. ${sizeAdvice(volume, found.sizeBytes)}`,
        holds: (servedBytesOf) => servedBytesOf(volume.id) === found.sizeBytes,
      });
  }
  for (const { id, otherSplitter } of leftOut(estate, splitter, stored.keys())) {
    if (otherSplitter !== undefined) {
      drift.push({
        sentence: `Volume "${id}" was served here, but the estate file gives it to splitter "${otherSplitter}". It is not served here; its disk and its row stay. Remove it from "${otherSplitter}" unless its disk was brought there.`,
        holds: (servedBytesOf) => servedBytesOf(id) === undefined,
      });
      continue;
    }
    const found = laterRow(id, stored.get(id), addresses);
    take(found, stored.get(id));
    if (!('retired' in found && found.retired !== undefined))
      drift.push({
        sentence: `Volume "${id}" is not in the estate file. It is served and protected all the same. Put it back into the file, or end its protection: volume-mover volume retire ${id}`,
        holds: (servedBytesOf) => servedBytesOf(id) !== undefined,
      });
  }
  return { rows, unstored, unusable, retired, drift };
}

function sizeAdvice({ id, sizeMiB }: EstateVolume, sizeBytes: number): string {
  return sizeMiB * MIB > sizeBytes
    ? `Correct sizeMiB in the file, or make it as large: volume-mover volume grow ${id} --size ${sizeMiB}MiB`
    : 'No volume can be made smaller. Correct sizeMiB in the file.';
}

/** Stored volumes that the estate file doesn't give to this splitter, and to which it does. */
function* leftOut(
  estate: Estate,
  splitter: SplitterId,
  stored: Iterable<string>,
): Generator<{ readonly id: VolumeId; readonly otherSplitter: SplitterId | undefined }, void> {
  const placed = new Map<string, SplitterId>(
    estate.splitters.flatMap(({ id, volumes }) => volumes.map((volume) => [volume.id, id] as const)),
  );
  for (const key of stored) {
    const { data: id } = volumeIdSchema.safeParse(key);
    const otherSplitter = placed.get(key);
    if (id !== undefined && otherSplitter !== splitter) yield { id, otherSplitter };
  }
}

/** The entry of a volume that is left out. */
export function unusable(volume: VolumeId, what: string, whatToDo: string): UnusableVolume {
  return { volume, reason: `Volume "${volume}" is not served: ${what}. ${whatToDo}; then start the splitter again.` };
}

export type Addresses = ReadonlyMap<ApplianceId, string>;

/** Known control URLs of appliances. One without a URL and a fixed port has none here. */
export function addressesOf(estate: Estate): Addresses {
  const known = estate.appliances.filter(({ control }) => control.url !== undefined || control.port !== 0);
  return new Map(known.map(({ id, control }) => [id, controlUrl(control)]));
}

function firstRow(estate: Estate, volume: EstateVolume, addresses: Addresses): VolumeSplitRow | UnusableVolume {
  const appliance = estate.groups.find(({ id }) => id === volume.group)?.appliance;
  const url = appliance === undefined ? undefined : addresses.get(appliance);
  if (appliance === undefined || url === undefined)
    return unusable(
      volume.id,
      `the appliance of its group "${volume.group}" has no known address`,
      'Give the appliance a control port, or a url, in the estate file',
    );
  return {
    volume: volume.id,
    sizeBytes: volume.sizeMiB * MIB,
    route: { group: volume.group, appliance, url, epoch: 1 },
    source: newSourceId(),
  };
}

function laterRow(volume: VolumeId, content: unknown, addresses: Addresses): VolumeSplitRow | UnusableVolume {
  try {
    const row = parseOrRefuse(rowSchema.extend({ volume: z.literal(volume) }), content, 'it');
    return withAddresses(row, addresses);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return unusable(
      volume,
      `its stored row is not valid (${why})`,
      "Put the splitter's data folder back from a copy, or run the version that wrote it",
    );
  }
}

function withAddresses(row: VolumeSplitRow, addresses: Addresses): VolumeSplitRow {
  const withAddress = <E extends Endpoint>(endpoint: E): E => ({
    ...endpoint,
    url: addresses.get(endpoint.appliance) ?? endpoint.url,
  });
  const { notice, route } = row;
  return {
    ...row,
    route: withAddress(route),
    ...(notice === undefined
      ? {}
      : { notice: { ...notice, from: withAddress(notice.from), to: withAddress(notice.to) } }),
  };
}
