// What the splitter knows of its volumes at a start: its own rows where it has them, the estate file for volumes it never saw.
import { z } from 'zod';
import {
  endpointSchema,
  ticketedAttemptSchema,
  verdictSchema,
  writeMarkSchema,
  type Endpoint,
} from '../../contracts/attempt.js';
import { MoverError, parseOrRefuse } from '../../contracts/errors.js';
import { controlUrl, type Estate, type EstateVolume } from '../../contracts/estate.js';
import { type ApplianceId, type SplitterId, volumeIdSchema } from '../../contracts/ids.js';
import { sourceIdSchema } from '../../contracts/lineage.js';
import { bytesSchema, epochSchema, timeMsSchema } from '../../contracts/numbers.js';
import type { VolumeSplitRow } from './core/volume-split.js';
import { newSourceId } from './identities.js';

const MIB = 1024 * 1024;

const rowSchema = z.strictObject({
  volume: volumeIdSchema,
  sizeBytes: bytesSchema,
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
      leaseExpiresAtMs: timeMsSchema,
      lapsed: z.boolean(),
    })
    .exactOptional(),
  decided: z
    .strictObject({
      attempt: ticketedAttemptSchema,
      verdict: verdictSchema,
      atMs: timeMsSchema,
      backlogBytes: bytesSchema,
    })
    .exactOptional(),
  // Rows of before disks had identities get one.
  source: sourceIdSchema.prefault(newSourceId),
  replaces: z.literal(true).exactOptional(),
});

/**
 * The rows of the splitter's volumes in the estate file. A stored row wins, but for its appliances' addresses: the estate file knows better.
 * @throws MoverError INVALID_REQUEST when a volume has another size than before, CORRUPT when a stored row is not of the agreed form.
 */
export function volumeRows(
  estate: Estate,
  splitter: SplitterId,
  stored: ReadonlyMap<string, unknown>,
): VolumeSplitRow[] {
  const volumes = estate.splitters.find(({ id }) => id === splitter)?.volumes ?? [];
  const addresses = addressesOf(estate);
  return volumes.map((volume) => {
    const content = stored.get(volume.id);
    if (content === undefined) return firstRow(estate, volume, addresses);
    const row = parseRow(volume, content);
    if (row.sizeBytes !== volume.sizeMiB * MIB) {
      const message = `volume "${volume.id}" has ${row.sizeBytes / MIB} MiB here, and ${volume.sizeMiB} MiB in the estate file: a volume can't change its size`;
      throw new MoverError('INVALID_REQUEST', message, {
        reasons: [{ code: 'INVALID_REQUEST', subject: `splitters.${splitter}.volumes.${volume.id}.sizeMiB`, message }],
      });
    }
    return withAddresses(row, addresses);
  });
}

export type Addresses = ReadonlyMap<ApplianceId, string>;

/** Appliances whose port is chosen when they start, and that give no URL, have no address here. */
export function addressesOf(estate: Estate): Addresses {
  const known = estate.appliances.filter(({ control }) => control.url !== undefined || control.port !== 0);
  return new Map(known.map(({ id, control }) => [id, controlUrl(control)]));
}

function firstRow(estate: Estate, volume: EstateVolume, addresses: Addresses): VolumeSplitRow {
  const appliance = estate.groups.find(({ id }) => id === volume.group)?.appliance;
  const url = appliance === undefined ? undefined : addresses.get(appliance);
  if (appliance === undefined || url === undefined) {
    const message = `the appliance of group "${volume.group}" has no known address: give it a port, or a url`;
    throw new MoverError('INVALID_REQUEST', `Volume "${volume.id}": ${message}`, {
      reasons: [{ code: 'INVALID_REQUEST', subject: 'appliances.control', message }],
    });
  }
  return {
    volume: volume.id,
    sizeBytes: volume.sizeMiB * MIB,
    route: { group: volume.group, appliance, url, epoch: 1 },
    source: newSourceId(),
  };
}

function parseRow(volume: EstateVolume, content: unknown): VolumeSplitRow {
  try {
    return parseOrRefuse(rowSchema, content, `stored row of volume "${volume.id}"`);
  } catch (cause) {
    throw new MoverError('CORRUPT', `The stored row of volume "${volume.id}" is not of the agreed form.`, { cause });
  }
}

function withAddresses(row: VolumeSplitRow, addresses: Addresses): VolumeSplitRow {
  const present = <E extends Endpoint>(endpoint: E): E => ({
    ...endpoint,
    url: addresses.get(endpoint.appliance) ?? endpoint.url,
  });
  const { notice, route } = row;
  return {
    ...row,
    route: present(route),
    ...(notice === undefined ? {} : { notice: { ...notice, from: present(notice.from), to: present(notice.to) } }),
  };
}
