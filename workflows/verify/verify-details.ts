// The markdown that the Temporal UI shows for a verification.
import type { VerifyProgress } from '../../contracts/verify.js';

/** Ranges shown: as many as a report lists, which stays far below the server's 20 KB. */
const RANGES_SHOWN_MAX = 100;
const MIB = 1024 * 1024;

export function verifyDetailsOf({ volume, stage, bytesPerSecond, report }: VerifyProgress): string {
  const lines = [
    `**${volume}** and its replica`,
    '',
    `Stage **${stage}**, at most ${Math.round(bytesPerSecond / MIB)} MiB/s`,
  ];
  if (stage === 'verifying') lines.push('', 'Progress: see the heartbeat of the pending activity.');
  if (report === undefined) return lines.join('\n');
  const { regions, mismatchedRegions, mismatches, points } = report;
  lines.push(
    '',
    mismatchedRegions === 0
      ? `All ${regions} regions are the same, compared at ${points.length === 1 ? 'one common point' : `${points.length} common points`}.`
      : `**${mismatchedRegions} of ${regions} regions differ.**`,
  );
  if (mismatches.length > 0)
    lines.push(
      '',
      '| offset | length | fault |',
      '| --- | --- | --- |',
      ...mismatches
        .slice(0, RANGES_SHOWN_MAX)
        .map(({ offset, length, fault }) => `| ${offset} | ${length} | ${fault} |`),
    );
  return lines.join('\n');
}
