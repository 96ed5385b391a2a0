// What a script sees of a volume at the splitter: one line with everything that a call may change.
import { attemptName, type TicketedAttempt } from '../../../../contracts/attempt.js';
import type { SplitterVolume } from '../../../../contracts/splitter-api.js';
import type { VolumeSplit } from '../../../../simulator/splitter/core/volume-split.js';
import { exact, sizeText } from '../script.js';
import type { ScriptedSplitter } from './scripted-splitter.js';
import { lineageText } from './words.js';

/** Longest reason that is told word by word: a longer one tests a limit. */
const REASON_LENGTH_SHOWN_MAX = 300;

export function describeSplitter(splitter: ScriptedSplitter): ReadonlyMap<string, string> {
  return new Map([...splitter.core.volumes].map((split) => [split.volume, describeSplit(splitter, split)]));
}

function describeSplit(splitter: ScriptedSplitter, split: VolumeSplit): string {
  const seen = exact(split.describe());
  exact(split.row);
  return [
    `${seen.mode}${seen.connected ? '' : ', no stream'}`,
    `${seen.route.group}@${seen.route.epoch}`,
    `at ${seen.last.session}:${seen.last.n}`,
    ...sourceText(split, seen),
    ...(seen.unconfirmedBytes === 0 ? [] : [`${sizeText(seen.unconfirmedBytes)} unconfirmed`]),
    ...(split.allConfirmed === (seen.unconfirmedBytes === 0) ? [] : ['records unconfirmed']),
    ...(seen.resentBytes === 0 ? [] : [`${sizeText(seen.resentBytes)} resent`]),
    ...marksText(split, seen),
    ...(seen.confirmed === undefined
      ? []
      : [`confirmed ${lineageText(seen.confirmed.lineage)}:${seen.confirmed.position}`]),
    ...moveText(splitter, split, seen),
    ...(seen.stalled === undefined
      ? []
      : [`stalled since ${seen.stalled.sinceMs} at ${seen.stalled.unappliedBytes ?? 'unknown'} B`]),
    ...seen.notes.map((note) => `note "${note}"`),
  ].join(', ');
}

function sourceText({ row }: VolumeSplit, { source }: SplitterVolume): string[] {
  const stored = [
    ...(row.proven === true ? [] : ['not proven']),
    ...(row.replaces === true ? ['replaces'] : []),
    ...(row.refused === undefined ? [] : [`refused as ${row.refused}`]),
  ];
  if (source.state === 'present' && stored.length === 0) return [];
  const { recovery } = source;
  const progress =
    recovery === undefined ? '' : ` (${recovery.doneBytes} of ${recovery.totalBytes} B of ${recovery.point})`;
  return [`disk ${source.id.at(-1) ?? ''} ${source.state}${progress}${stored.map((word) => ` (${word})`).join('')}`];
}

function marksText({ marks, row }: VolumeSplit, seen: SplitterVolume): string[] {
  const kinds = [
    ...(marks.dirty === 0 ? [] : [`${marks.dirty} dirty`]),
    ...(marks.doubted === 0 ? [] : [`${marks.doubted} doubted`]),
    ...(marks.settled === 0 ? [] : [`${marks.settled} settled`]),
    ...(seen.unreadable === undefined
      ? []
      : [`${seen.unreadable.regions} unreadable at ${JSON.stringify(seen.unreadable.ranges)}`]),
  ];
  const { initialization } = seen;
  return [
    ...(seen.markedRegions === 0
      ? []
      : [`${seen.markedRegions} marked${kinds.length === 0 ? '' : ` (${kinds.join(', ')})`}`]),
    ...(initialization === undefined
      ? []
      : [`marks only since ${initialization.sinceMs} "${reasonText(initialization.reason)}"`]),
    ...(initialization === undefined || initialization.doubtedRegions === marks.doubted
      ? []
      : [`says ${initialization.doubtedRegions} doubted`]),
    ...(row.comparing === undefined ? [] : [`comparing "${reasonText(row.comparing)}"`]),
  ];
}

function reasonText(reason: string): string {
  return reason.length > REASON_LENGTH_SHOWN_MAX ? `${reason.slice(0, 10)}…, ${reason.length} characters` : reason;
}

function moveText({ core, monotonicMs }: ScriptedSplitter, split: VolumeSplit, seen: SplitterVolume): string[] {
  const { notice, fence } = seen;
  const { decided } = split.row;
  const leftMs = (split.leaseEndsAtMs ?? 0) - monotonicMs;
  const fenceText = [
    `${seen.fence?.leaseMs ?? 0} ms granted`,
    `${leftMs} ms left`,
    ...(fence?.lapsed === true ? ['lapsed'] : []),
    ...(split.fenceVoid ? ['void'] : []),
  ];
  return [
    ...(notice === undefined ? [] : [`notice ${ticketText(notice.attempt)} → ${notice.to.group}`]),
    ...(fence === undefined
      ? []
      : [`fence ${ticketText(fence.attempt)} at ${fence.cut.session}:${fence.cut.n} (${fenceText.join(', ')})`]),
    ...(seen.backlogBytes === 0 ? [] : [`backlog ${sizeText(seen.backlogBytes)}`]),
    ...(core.holds.isHeld(split.volume) ? ['acknowledgements held'] : []),
    ...(decided === undefined ? [] : [`decided ${ticketText(decided.attempt)} ${decided.verdict} at ${decided.atMs}`]),
  ];
}

/** An attempt as scripts name it, by its ticket: a1 is ticket 1 of move m1. */
export function ticketText(attempt: TicketedAttempt): string {
  return attemptName(attempt) === `m${attempt.ticket}#1` ? `a${attempt.ticket}` : attemptName(attempt);
}
