// The `h1:` hash that identifies a module in go.sum and the Go checksum database
// (golang.org/x/mod/sumdb/dirhash).
import { createHash } from 'node:crypto';

import type { ZipEntry } from './zip.js';

/** Hashes a module: SHA-256, in base64, of the sorted list of every file's SHA-256 and name. */
export function hashModuleZip(entries: readonly ZipEntry[]): string {
  const summary = createHash('sha256');
  for (const entry of entries.toSorted((left, right) =>
    Buffer.compare(Buffer.from(left.name), Buffer.from(right.name)),
  )) {
    summary.update(`${createHash('sha256').update(entry.read()).digest('hex')}  ${entry.name}\n`);
  }
  return `h1:${summary.digest('base64')}`;
}
