// The message for the user when a process of the estate ends: what ended, how often, when it is
// started again, why, what that means for their data, and what to do.
import type { ProcessEnd } from './process-end.js';
import type { Restart } from './restart-policy.js';
import type { Supervised } from './supervised.js';

/** Last lines of the log shown when the process gave no reason, and characters shown of each. */
const LAST_LINES = 3;
const LINE_LENGTH_MAX = 200;
/** Characters shown of a reason: some name every field of an estate file. */
const REASON_LENGTH_MAX = 1_000;

/** What the message needs to know of a process. */
type DescribedProcess = Pick<Supervised, 'name' | 'meaning' | 'dataFolder' | 'logFile'>;

/** The message about a death. @param restart its `detail` decides how much is shown */
export function deathText(process: DescribedProcess, end: ProcessEnd, restart: Restart): string {
  const { deaths, pauseMs, detail } = restart;
  const when = pauseMs === 0 ? 'now' : `in ${seconds(pauseMs)}`;
  if (detail !== 'full') {
    const line = `${process.name} ${end.how} again, ${deaths} times in a row now, for the same reason; next try ${when}.`;
    // The first message may have said that nothing is to be done.
    return deaths === 2 ? [line, ...todo(process, end, deaths)].join('\n') : line;
  }
  const count = deaths === 1 ? '' : `, ${deaths} times in a row now`;
  return [
    `${process.name} ${end.how}${count}. It is started again ${when}; nothing else is stopped.`,
    ...reasonOf(end).map((line, i) => `  ${i === 0 ? 'Why    ' : '       '} ${line}`),
    `  Data    ${process.meaning}`,
    ...todo(process, end, deaths),
  ].join('\n');
}

function todo(process: DescribedProcess, end: ProcessEnd, deaths: number): string[] {
  return [`  To do   ${adviceOn(process, end, deaths)}`, `  Log     ${process.logFile}`];
}

function reasonOf({ how, reason, lastLines }: ProcessEnd): string[] {
  if (reason !== undefined) return [cut(reason, REASON_LENGTH_MAX)];
  const guess = how.includes('SIGKILL')
    ? 'It was killed: by a person, or by the system when memory ran short (dmesg says so).'
    : 'It gave no reason.';
  if (lastLines.length === 0) return [guess];
  return [`${guess} Its last lines:`, ...lastLines.slice(-LAST_LINES).map((line) => cut(line, LINE_LENGTH_MAX))];
}

function adviceOn(
  { dataFolder }: DescribedProcess,
  { reason = '', lastLines, isRefusal }: ProcessEnd,
  deaths: number,
): string {
  const text = [reason, ...lastLines].join('\n');
  if (/ENOSPC|EDQUOT|no space left|no room left|quota exceeded|database or disk is full/i.test(text))
    return `Make room on the disk of ${dataFolder}; it then starts by itself.`;
  if (/EADDRINUSE|address already in use|is taken/.test(reason))
    return 'Stop what listens on that port (ss -ltnp shows it); it then starts by itself.';
  if (reason.startsWith('Cannot listen'))
    return 'Make that address and port usable for this user on this machine; it then starts by itself.';
  if (/EACCES|EPERM|permission denied/i.test(reason))
    return `Let this user write to ${dataFolder}; it then starts by itself.`;
  if (isRefusal) return 'Correct what the reason names; it then starts by itself.';
  return deaths === 1
    ? 'Nothing, unless it happens again.'
    : 'Read the log for the cause. It is started again until Ctrl-C, at least once a minute.';
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`;
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 1_000)} s`;
}
