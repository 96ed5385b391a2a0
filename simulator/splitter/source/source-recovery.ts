// Recovers a volume's disk from its replica: copies a recovery point over NBD into a file beside
// the disk's place.
import { open, rm } from 'node:fs/promises';
import type { Credentials } from '../../../control/credentials.js';
import { certificatesFor } from '../../../nbd/certificates.js';
import { connectNbd } from '../../../nbd/client.js';
import { BASE_ALLOCATION } from '../../../nbd/meta-context.js';
import type { NbdClient } from '../../../nbd/nbd-client.js';
import { readAhead } from '../../../nbd/read-ahead.js';
import { createApiClient } from '../../../control/client.js';
import { hostToReach } from '../../../control/loopback.js';
import { ownRefusal } from '../../control-server/own-refusal.js';
import { applianceApi } from '../../../contracts/appliance-api.js';
import { hasRemedy } from '../../../contracts/error-registry.js';
import { MoverError } from '../../../contracts/errors.js';
import type { PointId, VolumeId } from '../../../contracts/ids.js';
import { isZero } from '../files/zero.js';

/** Longest wait for one answer of an appliance, in milliseconds. */
const ANSWER_MS_MAX = 10_000;
/** Size of the holes that the file keeps, in bytes. */
const GRAIN_BYTES = 64 * 1024;

export interface OpenedPoint {
  readonly point: PointId;
  readonly image: NbdClient;
}

export interface PointWanted {
  readonly volume: VolumeId;
  readonly sizeBytes: number;
  /** The point to open; the newest that contains the volume if undefined. */
  readonly point: PointId | undefined;
  /** Control URLs of appliances, asked in this order. */
  readonly appliances: readonly string[];
  readonly credentials: Credentials | undefined;
}

/**
 * Opens the point at the first appliance that can.
 * @throws MoverError POINT_NOT_FOUND, POINT_UNAVAILABLE, VOLUME_NOT_FOUND, UNREACHABLE
 */
export async function openPoint(wanted: PointWanted): Promise<OpenedPoint> {
  let last: unknown = new MoverError('UNREACHABLE', 'The estate has no appliance.');
  for (const url of wanted.appliances) {
    try {
      return await openAt(url, wanted);
    } catch (error) {
      if (!(error instanceof MoverError) || !hasRemedy(error.code, 'another-appliance'))
        throw ownRefusal(error, 'A splitter needs the role replicate at appliances.') ?? error;
      last = error;
    }
  }
  throw last;
}

async function openAt(
  url: string,
  { volume, sizeBytes, point: asked, credentials }: PointWanted,
): Promise<OpenedPoint> {
  const appliance = createApiClient(applianceApi, { baseUrl: url, credentials, timeoutMs: ANSWER_MS_MAX });
  const { id: point } = await appliance.findPoint({ volume, ...(asked === undefined ? {} : { point: asked }) });
  const { nbd } = await appliance.describe({});
  const address = { host: hostToReach(nbd.host, url), port: nbd.port };
  let image: NbdClient;
  try {
    image = await connectNbd(address, `${volume}@${point}`, {
      contexts: [BASE_ALLOCATION],
      certificates: certificatesFor(address),
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MoverError('POINT_UNAVAILABLE', `Point ${point} of volume "${volume}" can't be opened: ${why}`, {
      cause,
    });
  }
  // A point from before a growth is smaller: what it does not have is zero.
  if (image.sizeBytes <= sizeBytes) return { point, image };
  await image.disconnect();
  throw new MoverError(
    'POINT_UNAVAILABLE',
    `Point ${point} of volume "${volume}" has ${image.sizeBytes} bytes, and the volume only ${sizeBytes}.`,
  );
}

/**
 * Copies the image into a file, which is whole and on stable storage when it resolves, and gone
 * when it rejects.
 * @throws NbdError, NbdDisconnected, the system's error, the signal's reason
 */
export async function copyImage(
  image: NbdClient,
  path: string,
  {
    sizeBytes,
    onProgress,
    signal,
  }: {
    /** Size of the file: the image's at least. */
    readonly sizeBytes: number;
    readonly onProgress: (doneBytes: number) => void;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.truncate(sizeBytes);
    for await (const { offset, data } of readAhead(image, { signal })) {
      for (let at = 0; at < data.length; at += GRAIN_BYTES) {
        const grain = data.subarray(at, at + GRAIN_BYTES);
        if (!isZero(grain)) await writeWhole(file, grain, offset + at);
      }
      onProgress(offset + data.length);
    }
    onProgress(sizeBytes);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(path, { force: true });
    throw error;
  }
}

async function writeWhole(file: Awaited<ReturnType<typeof open>>, data: Buffer, position: number): Promise<void> {
  for (let done = 0; done < data.length;) {
    const { bytesWritten } = await file.write(data, done, data.length - done, position + done);
    done += bytesWritten;
  }
}
