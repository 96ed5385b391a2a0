// The open scans of a splitter: one a volume, SCANS_MAX in all. A scan that nobody reads closes by
// itself.
import type { Logger } from 'pino';
import { MoverError } from '../../../contracts/errors.js';
import type { VolumeId } from '../../../contracts/ids.js';
import type { OutputOf, ParsedInputOf } from '../../../contracts/route.js';
import { VERIFY_REGION_BYTES, type verifySourceApi } from '../../../contracts/verify.js';
import type { ProtectedVolume } from './protected-volume.js';
import type { VolumeScan } from './volume-scan.js';

type Api = typeof verifySourceApi;

/**
 * Most scans open at once. Each costs guests some disk and processor time, and keeps up to 34 MiB
 * of digests.
 */
export const SCANS_MAX = 8;

interface OpenScan {
  readonly volume: ProtectedVolume;
  readonly scan: VolumeScan;
  readonly leaseMs: number;
  lease: NodeJS.Timeout;
}

export interface ScansOptions {
  /** @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE */
  readonly find: (volume: VolumeId) => ProtectedVolume;
  readonly log: Logger;
}

export class Scans {
  readonly #options: ScansOptions;
  readonly #scans = new Map<string, OpenScan>();
  /** Scans being opened, by id: a repeated call waits for the same one. */
  readonly #opening = new Map<string, Promise<OpenScan>>();

  constructor(options: ScansOptions) {
    this.#options = options;
  }

  /**
   * Opens a scan. A repeated call finds it open.
   * @throws MoverError VOLUME_NOT_FOUND, VOLUME_UNUSABLE, SOURCE_UNREADABLE, NOT_SYNCED, SCAN_BUSY,
   * INVALID_REQUEST (another volume's scan has this id)
   */
  async open(input: ParsedInputOf<Api['openScan']>): Promise<OutputOf<Api['openScan']>> {
    const { volume, scan: id } = input;
    const known = this.#scans.get(id);
    if (known !== undefined && known.scan.ended === undefined) {
      this.#renew(id, known);
      return answerOf(id, volume, known);
    }
    const opening = this.#opening.get(id) ?? this.#open(input);
    this.#opening.set(id, opening);
    try {
      return answerOf(id, volume, await opening);
    } finally {
      if (this.#opening.get(id) === opening) this.#opening.delete(id);
    }
  }

  async #open({ volume: volumeId, scan: id, leaseMs }: ParsedInputOf<Api['openScan']>): Promise<OpenScan> {
    const volume = this.#options.find(volumeId);
    for (const [other, { scan }] of this.#scans) if (scan.ended !== undefined) this.close(other);
    const busy = [...this.#scans].find(([, open]) => open.volume === volume)?.[0];
    if (busy !== undefined)
      throw new MoverError('SCAN_BUSY', `Volume "${volumeId}" is being scanned already, by "${busy}".`);
    if (this.#scans.size + this.#opening.size >= SCANS_MAX)
      throw new MoverError('SCAN_BUSY', `${SCANS_MAX} scans are open at this splitter already.`);
    const scan = await volume.openScan();
    const open: OpenScan = { volume, scan, leaseMs, lease: this.#lease(id, leaseMs) };
    this.#scans.set(id, open);
    this.#options.log.info({ scan: id, volume: volumeId, mark: scan.mark }, 'scan opened');
    return open;
  }

  /**
   * Reads digests of an open scan, and renews its lease.
   * @throws MoverError SCAN_NOT_FOUND and as `VolumeScan.read`
   */
  async read({
    scan: id,
    from,
    count,
    digestsMax,
  }: ParsedInputOf<Api['readScan']>): Promise<OutputOf<Api['readScan']>> {
    const open = this.#scans.get(id);
    if (open === undefined) throw new MoverError('SCAN_NOT_FOUND', `There is no open scan "${id}" at this splitter.`);
    this.#renew(id, open);
    return open.scan.read(from, count, digestsMax);
  }

  /** Closes a scan; does nothing if it is closed already. */
  close(id: string, why = 'closed'): void {
    const open = this.#scans.get(id);
    if (open === undefined) return;
    clearTimeout(open.lease);
    this.#scans.delete(id);
    open.volume.closeScan(open.scan, why);
    this.#options.log.info({ scan: id, volume: open.volume.id, why }, 'scan closed');
  }

  stop(): void {
    for (const id of this.#scans.keys()) this.close(id, 'the splitter is being stopped');
  }

  #renew(id: string, open: OpenScan): void {
    clearTimeout(open.lease);
    open.lease = this.#lease(id, open.leaseMs);
  }

  #lease(id: string, leaseMs: number): NodeJS.Timeout {
    return setTimeout(() => this.close(id, 'nobody read it any more'), leaseMs).unref();
  }
}

function answerOf(id: string, volume: VolumeId, { scan }: OpenScan): OutputOf<Api['openScan']> {
  if (scan.volume !== volume)
    throw new MoverError('INVALID_REQUEST', `Scan "${id}" is of volume "${scan.volume}", not of "${volume}".`);
  const { mark, sizeBytes, regions, atMs, key } = scan;
  return { scan: id, mark, sizeBytes, regions, regionBytes: VERIFY_REGION_BYTES, atMs, key };
}
