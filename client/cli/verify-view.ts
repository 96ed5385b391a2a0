// Shows a verification to people: progress, verdict, and a table of differences.
import type { VerifyHeartbeat, VerifyReport } from '../../contracts/verify.js';
import type { Verification } from '../verifications/verification-client.js';
import { bytes, duration, time } from '../text/format.js';
import { table } from '../text/table.js';

const TITLES = ['OFFSET', 'LENGTH', 'FAULT'];
const FAULTS = {
  differs: 'differs; the checksums of the replica hold',
  'replica-checksum': 'the replica fails its own checksum',
  'source-unreadable': "the source can't be read; not compared",
} as const;

/** A running verification, for `status`. */
export function verifyRunningLines(verification: Verification, nowMs: number): string[] {
  const { verificationId, startedAtMs, progress, url } = verification;
  return [
    `Verification ${verificationId}: running`,
    `  started ${time(startedAtMs)}`,
    ...(progress === undefined
      ? ['  Its progress is not known yet.']
      : [verifyStatusLine(progress, nowMs - startedAtMs)]),
    ...(url === undefined ? [] : [`  ${url}`]),
  ];
}

/** The status line. @example "  … verifying 42 % (1.2 GiB of 2.8 GiB, 6.4 s), 1 region differs" */
export function verifyStatusLine(progress: VerifyHeartbeat | undefined, sinceMs: number): string {
  const running = duration(sinceMs);
  if (progress === undefined) return `  … verifying (${running})`;
  const { nextRegion, regions, sizeBytes, mismatchedRegions } = progress;
  const share = regions === 0 ? 1 : nextRegion / regions;
  const differ =
    mismatchedRegions === 0
      ? ''
      : mismatchedRegions === 1
        ? ', 1 region differs'
        : `, ${mismatchedRegions} regions differ`;
  return `  … verifying ${Math.floor(share * 100)} % (${bytes(Math.floor(sizeBytes * share))} of ${bytes(sizeBytes)}, ${running})${differ}`;
}

/** The verdict in a sentence, and the facts behind it. */
export function verifyReportLines(report: VerifyReport): string[] {
  const { volume, sizeBytes, regions, mismatchedRegions, mismatches, points, startedAtMs, endedAtMs } = report;
  const took = duration(endedAtMs - startedAtMs);
  const verdict =
    mismatchedRegions === 0
      ? `Volume ${volume} and its replica are the same: all ${regions} regions (${bytes(sizeBytes)}), compared in ${took}.`
      : `Volume ${volume} and its replica ${mismatches.every(({ fault }) => fault === 'source-unreadable') ? 'could not be compared' : 'differ'} in ${mismatchedRegions} of ${regions} regions (compared in ${took}):`;
  const rows = mismatches.map(({ offset, length, fault }) => [String(offset), bytes(length), FAULTS[fault]]);
  return [
    verdict,
    ...(rows.length === 0 ? [] : [table(TITLES, rows)]),
    ...points.map(
      ({ atMs, session, n, fromRegion, toRegion }) =>
        `  regions ${fromRegion} to ${Math.max(fromRegion, toRegion - 1)} as of ${time(atMs)} (write ${session}/${n})`,
    ),
  ];
}

/** The line for a verification that ended without a verdict. */
export function verifyEndLine({ state, verificationId }: Verification): string {
  return `Verification ${verificationId} was ${state}; it has no result, and it changed nothing.`;
}
