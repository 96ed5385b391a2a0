// The names of the images that an appliance serves over NBD: "<volume>@<point>", "<volume>@latest"
// and "<volume>@<time>", each with "+rw" at its end for a writable scratch; and
// "access-<id>/<volume>" for an image access.
import { accessIdSchema, type AccessId } from '../../../contracts/images.js';
import { readMoment } from '../../../contracts/moment.js';
import { pointIdSchema, volumeIdSchema, type PointId, type VolumeId } from '../../../contracts/ids.js';

/** One volume's image, opened for one connection. */
export type ImageName = { readonly volume: VolumeId; readonly writable: boolean } & (
  | { readonly kind: 'latest' }
  | { readonly kind: 'point'; readonly point: PointId }
  | { readonly kind: 'time'; readonly atMs: number }
);
export type ExportName = ImageName | { readonly kind: 'access'; readonly access: AccessId; readonly volume: VolumeId };

const LATEST = 'latest';
/** No id contains "+", so it can't be part of a point's id. */
const WRITABLE = '+rw';
/** A point's id never starts with a digit, so such text is a time, or a mistyped one. */
const LIKE_A_TIME = /^-?\d/;
const ACCESS = /^access-([^/]+)\/([^/]+)$/;

export function latestExportName(volume: VolumeId): string {
  return `${volume}@${LATEST}`;
}

export function accessExportName(access: AccessId, volume: VolumeId): string {
  return `access-${access}/${volume}`;
}

/**
 * Parses an export's name; undefined if it isn't one. A time is what `readMoment` accepts: without
 * a zone it is UTC, and a future time is refused.
 */
export function parseExportName(name: string, nowMs: number): ExportName | undefined {
  return parseAccessName(name) ?? parseImageName(name, nowMs);
}

function parseAccessName(name: string): ExportName | undefined {
  const [, accessPart, volumePart] = ACCESS.exec(name) ?? [];
  const access = accessIdSchema.safeParse(accessPart);
  const volume = volumeIdSchema.safeParse(volumePart);
  return access.success && volume.success ? { kind: 'access', access: access.data, volume: volume.data } : undefined;
}

function parseImageName(name: string, nowMs: number): ImageName | undefined {
  const writable = name.endsWith(WRITABLE);
  const [volumePart, place, ...rest] = (writable ? name.slice(0, -WRITABLE.length) : name).split('@');
  const parsed = volumeIdSchema.safeParse(volumePart);
  if (!parsed.success || place === undefined || rest.length > 0) return undefined;
  const volume = parsed.data;
  if (place === LATEST) return { volume, writable, kind: 'latest' };
  if (LIKE_A_TIME.test(place)) {
    const time = readMoment(place, nowMs);
    return 'atMs' in time ? { volume, writable, kind: 'time', atMs: time.atMs } : undefined;
  }
  const point = pointIdSchema.safeParse(place);
  return point.success ? { volume, writable, kind: 'point', point: point.data } : undefined;
}
