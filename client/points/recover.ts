// Recovers to files: opens a recovery point over NBD and copies it, one sparse image per volume.
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { anyAppliance, type Ports } from '../../control/ports.js';
import { MoverError } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { LeftOut, RecoveryPoint } from '../../contracts/point.js';
import { causeOf } from '../../control/cause.js';
import { certificatesFor } from '../../nbd/certificates.js';
import { connectNbd } from '../../nbd/client.js';
import { BASE_ALLOCATION } from '../../nbd/meta-context.js';
import type { NbdClient } from '../../nbd/nbd-client.js';
import { readAhead } from '../../nbd/read-ahead.js';
import { imageAddressOf } from '../images/image-address.js';
import { findPoint, type PointInput } from './find.js';
import { isFolder, makeFolder } from '../images/make-folder.js';
import { SparseFile, taken } from '../images/sparse-file.js';

export type RecoverInput = PointInput & {
  /**
   * The image file of a volume. Or a folder, made if missing: required for a group; a volume's file
   * in it is named after the volume.
   */
  readonly to: string;
  /** Whether existing files may be replaced. Default: false. */
  readonly overwrite?: boolean | undefined;
};

export interface RecoverOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called from time to time with the bytes copied of all volumes. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface RecoveredVolume {
  readonly volume: VolumeId;
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes of the 4 KiB blocks that are not all zero: the space that the sparse file takes. */
  readonly dataBytes: number;
  readonly position: number;
}

export interface Recovered {
  readonly point: RecoveryPoint;
  readonly files: RecoveredVolume[];
  /** Members of the group that are not in the point, with the reason. */
  readonly leftOut: LeftOut[];
  /**
   * A sentence about a clock in doubt around the requested time; only for a point found by time.
   */
  readonly doubt?: string | undefined;
}

/**
 * Copies a recovery point to files. They get their names only when all of them are complete.
 * @throws MoverError POINT_NOT_FOUND, POINT_TRIMMED, UNREACHABLE, INVALID_REQUEST (a file exists,
 * or the place can't be used);
 * the signal's reason
 */
export async function recover(ports: Ports, input: RecoverInput, options: RecoverOptions = {}): Promise<Recovered> {
  const { doubt, ...point } = await findPoint(ports, input);
  const members = point.members.filter(({ volume }) => !('volume' in input) || volume === input.volume);
  if (members.length === 0) throw withoutMembers(point, input);
  const paths = await pathsFor(
    input,
    members.map(({ volume }) => volume),
  );
  const opened: Opened[] = [];
  try {
    for (const { volume, position } of members) {
      const path = paths.get(volume);
      if (path === undefined) throw new MoverError('INTERNAL', `Volume "${volume}" has no file.`);
      opened.push(await openMember(ports, point, volume, position, path));
    }
    await copyAll(opened, options);
    for (const { file } of opened) await file.publish(input.overwrite === true);
  } catch (error) {
    await Promise.all(opened.map(({ file }) => file.discard()));
    throw error;
  } finally {
    await Promise.all(opened.map(({ image }) => image.disconnect()));
  }
  return {
    point,
    leftOut: point.leftOut,
    ...(doubt === undefined ? {} : { doubt }),
    files: opened.map(({ volume, position, image, file }) => ({
      volume,
      path: file.path,
      sizeBytes: image.sizeBytes,
      dataBytes: file.dataBytes,
      position,
    })),
  };
}

interface Opened {
  readonly volume: VolumeId;
  readonly position: number;
  readonly image: NbdClient;
  readonly file: SparseFile;
}

function withoutMembers(point: RecoveryPoint, input: RecoverInput): MoverError {
  const why = point.leftOut.map(({ volume, reason }) => `${volume} is left out: ${reason}`).join(', ');
  const what = 'volume' in input ? `volume "${input.volume}"` : 'any volume';
  return new MoverError(
    'POINT_NOT_FOUND',
    `Point ${point.id} does not contain ${what}${why === '' ? '' : ` (${why})`}.`,
  );
}

async function pathsFor(input: RecoverInput, volumes: readonly VolumeId[]): Promise<Map<VolumeId, string>> {
  const { to, overwrite = false } = input;
  const intoFolder = 'group' in input || to.endsWith('/') || (await isFolder(to));
  await makeFolder(intoFolder ? to : dirname(to));
  const paths = new Map(volumes.map((volume) => [volume, intoFolder ? join(to, `${volume}.img`) : to]));
  if (!overwrite) {
    for (const path of paths.values()) if (await exists(path)) throw taken(path);
  }
  return paths;
}

async function openMember(
  ports: Ports,
  point: RecoveryPoint,
  volume: VolumeId,
  position: number,
  path: string,
): Promise<Opened> {
  const image = await openImage(ports, `${volume}@${point.id}`);
  try {
    return { volume, position, image, file: await SparseFile.create(path, image.sizeBytes) };
  } catch (error) {
    await image.disconnect();
    throw error;
  }
}

/**
 * Opens an image at the first appliance that answers; each serves the images of the whole replica
 * site.
 */
async function openImage(ports: Ports, exportName: string): Promise<NbdClient> {
  return await anyAppliance(ports, async (appliance) => {
    const address = await imageAddressOf(appliance);
    try {
      return await connectNbd(address, exportName, {
        contexts: [BASE_ALLOCATION],
        certificates: certificatesFor(address),
      });
    } catch (cause) {
      const message = `Appliance "${appliance.id}" does not serve image "${exportName}" over NBD: ${causeOf(cause)}.`;
      throw new MoverError('UNREACHABLE', message, { cause });
    }
  });
}

async function copyAll(opened: readonly Opened[], { signal, onProgress }: RecoverOptions): Promise<void> {
  const totalBytes = opened.reduce((sum, { image }) => sum + image.sizeBytes, 0);
  let doneBytes = 0;
  for (const { image, file } of opened) {
    for await (const { offset, data } of readAhead(image, { signal })) {
      await file.write(offset, data);
      onProgress?.(doneBytes + offset + data.length, totalBytes);
    }
    // The holes of an image are not read; they are done all the same.
    doneBytes += image.sizeBytes;
    onProgress?.(doneBytes, totalBytes);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
