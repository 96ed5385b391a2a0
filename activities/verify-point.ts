// A common point of a volume and its replica: a scan at the splitter, and an image at the replica
// site at the scan's mark.
import { MoverError } from '../contracts/errors.js';
import type { VolumeId } from '../contracts/ids.js';
import type { VerifyHeartbeat } from '../contracts/verify.js';
import { anyAppliance, splitterOf, type Ports, type SplitterPort } from '../control/ports.js';
import type { VerifyRun } from './run.js';

type Open = NonNullable<VerifyHeartbeat['open']>;

/** The splitter that protects a volume, with the volume's size at the replica site. */
export interface Source extends SplitterPort {
  readonly sizeBytes: number;
}

/**
 * Lease of a scan. It is several times what it takes to notice a dead worker (8 s) and replace it.
 */
const SCAN_LEASE_MS = 60_000;
/** Longest wait for the mark in one call to the replica site, ms. */
const MARK_WAIT_MS = 5_000;
/**
 * Longest wait for a mark to reach the replica site, ms: a backlog over a slow link. After that a
 * newer mark is no worse.
 */
const MARK_WAIT_MS_IN_ALL = 10 * 60_000;
/** Longest wait for either side to close, ms. It closes itself later. */
const CLOSE_MS_MAX = 2_000;

/** The splitter that protects the volume. @throws MoverError VOLUME_NOT_FOUND, UNREACHABLE */
export async function sourceOf(ports: Ports, volume: VolumeId): Promise<Source> {
  const { volumes } = await anyAppliance(ports, ({ calls }) => calls.siteVolumes({ volume }));
  const [found] = volumes;
  if (found === undefined) throw new MoverError('VOLUME_NOT_FOUND', `There is no volume "${volume}".`);
  return { ...splitterOf(ports, found.splitter), sizeBytes: found.sizeBytes };
}

/**
 * Opens a common point. @throws MoverError NOT_SYNCED, SCAN_BUSY, SCAN_NOT_FOUND,
 * POINT_UNAVAILABLE, POINT_TRIMMED, IMAGE_LIMIT and those of the control calls
 */
export async function openPoint(
  ports: Ports,
  source: Source,
  run: VerifyRun,
  { volume, scan, nextRegion }: { readonly volume: VolumeId; readonly scan: string; readonly nextRegion: number },
): Promise<{ readonly atMs: number; readonly open: Open }> {
  const options = run.signal === undefined ? {} : { signal: run.signal };
  const opened = await source.calls.openScan({ volume, scan, leaseMs: SCAN_LEASE_MS }, options);
  const { mark, atMs, key } = opened;
  try {
    if (opened.sizeBytes !== source.sizeBytes) throw otherSize(volume, opened.sizeBytes, source.sizeBytes);
    const deadlineMs = run.monotonicMs() + MARK_WAIT_MS_IN_ALL;
    for (;;) {
      try {
        const input = { volume, mark, waitMs: MARK_WAIT_MS, client: `verify ${run.id}`.slice(0, 200), key };
        const { image } = await anyAppliance(ports, ({ calls }) => calls.openMarkImage(input, options));
        return { atMs, open: { scan, mark, image } };
      } catch (error) {
        const mayArrive = error instanceof MoverError && error.code === 'POINT_UNAVAILABLE';
        if (!mayArrive || run.monotonicMs() > deadlineMs) throw error;
        // Renews the scan's lease, and finds out whether the splitter that made the mark still
        // lives.
        await source.calls.readScan({ scan, from: nextRegion, count: 1 }, options);
      }
    }
  } catch (error) {
    // A retry opens a newer one.
    await closeScan(source, scan);
    throw error;
  }
}

/** Closes a common point. Never rejects: a side that can't be reached closes itself. */
export async function closePoint(ports: Ports, source: SplitterPort, { scan, image }: Open): Promise<void> {
  const options = { signal: AbortSignal.timeout(CLOSE_MS_MAX) };
  await Promise.all([
    closeScan(source, scan),
    anyAppliance(ports, ({ calls }) => calls.closeMarkImage({ image }, options)).catch(() => undefined),
  ]);
}

async function closeScan({ calls }: SplitterPort, scan: string): Promise<void> {
  await calls.closeScan({ scan }, { signal: AbortSignal.timeout(CLOSE_MS_MAX) }).catch(() => undefined);
}

function otherSize(volume: VolumeId, sourceBytes: number, replicaBytes: number): MoverError {
  return new MoverError(
    'CORRUPT',
    `Volume "${volume}" has ${sourceBytes} bytes at its splitter and ${replicaBytes} at the replica site.`,
  );
}
