// The digest of a region, computed the same way at the source and at the replica site.
// SHA-256, with the processor's own instructions, is as fast as SHA-1 and twice as fast as MD5 (46
// µs for 64 KiB). Nobody can make two contents with one digest, so equal digests mean equal
// contents. Zeroes are detected by comparison, at a tenth of that cost.
import { hash } from 'node:crypto';
import { VERIFY_REGION_BYTES } from '../../contracts/verify.js';

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

const ZEROES = Buffer.alloc(VERIFY_REGION_BYTES);

/** The digest of at most one region; undefined when all of it is zero. */
export function digestOf(region: Buffer): Buffer | undefined {
  return isZero(region) ? undefined : hash('sha256', region, 'buffer');
}

/** A digest as text, as the control APIs carry it; empty for a region of zeroes. */
export function digestText(digest: Buffer | undefined): string {
  return digest === undefined ? '' : digest.toString('base64url');
}

function isZero(region: Buffer): boolean {
  return region[0] === 0 && region.compare(ZEROES, 0, region.length) === 0;
}
