// The digest of a region, taken alike at the source and at the replica site.
// SHA-256: with the processor's own instructions as quick as SHA-1 and twice as quick as MD5 (46 µs
// for 64 KiB), and nobody can make two contents of one digest, so equal digests are equal contents.
// Zeroes are told by comparing, at a tenth of that.
import { hash } from 'node:crypto';
import { VERIFY_REGION_BYTES } from '../../contracts/verify.js';

/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

const ZEROES = Buffer.alloc(VERIFY_REGION_BYTES);

/** Of one region at most; undefined when all of it is zero. */
export function digestOf(region: Buffer): Buffer | undefined {
  return isZero(region) ? undefined : hash('sha256', region, 'buffer');
}

/** As the control APIs carry it. */
export function digestText(digest: Buffer | undefined): string {
  return digest === undefined ? '' : digest.toString('base64url');
}

function isZero(region: Buffer): boolean {
  return region[0] === 0 && region.compare(ZEROES, 0, region.length) === 0;
}
