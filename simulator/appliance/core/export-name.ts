// The names under which an appliance serves images over NBD: "<volume>@<point>", "<volume>@latest", "<volume>@<time>".
import { pointIdSchema, volumeIdSchema, type PointId, type VolumeId } from '../../../contracts/ids.js';

export type ExportName = { readonly volume: VolumeId } & (
  | { readonly kind: 'latest' }
  | { readonly kind: 'point'; readonly point: PointId }
  | { readonly kind: 'time'; readonly atMs: number }
);

const LATEST = 'latest';
/** A date, or a date and a time: "2026-11-23", "2026-11-23T10:15:00Z". */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

export function latestExportName(volume: VolumeId): string {
  return `${volume}@${LATEST}`;
}

/** Undefined if it is no such name. A time without a zone is taken as UTC. */
export function parseExportName(name: string): ExportName | undefined {
  const [volumePart, place, ...rest] = name.split('@');
  const volume = volumeIdSchema.safeParse(volumePart);
  if (!volume.success || place === undefined || rest.length > 0) return undefined;
  if (place === LATEST) return { volume: volume.data, kind: 'latest' };
  if (ISO_TIME.test(place)) {
    const atMs = Date.parse(/T.*(Z|[+-]\d{2}:?\d{2})$/.test(place) || !place.includes('T') ? place : `${place}Z`);
    return Number.isNaN(atMs) ? undefined : { volume: volume.data, kind: 'time', atMs };
  }
  const point = pointIdSchema.safeParse(place);
  return point.success ? { volume: volume.data, kind: 'point', point: point.data } : undefined;
}
