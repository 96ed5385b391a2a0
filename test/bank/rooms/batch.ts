// Bugs of a batch's decisions: which move is next, limits, retries, windows, and when it ends.
import type { Room } from '../bug.js';

const CORE = 'workflows/batch/core/batch-core.ts';
const MOVES = 'workflows/batch/core/moves.ts';
const RETRIES = 'workflows/batch/core/retries.ts';
const CANARY = 'workflows/batch/core/canary.ts';
const POLICY = 'workflows/batch/core/failure-policy.ts';
const GATE = 'workflows/batch/core/window-gate.ts';
const DURATIONS = 'workflows/batch/core/durations.ts';
const OCCUPANCY = 'workflows/batch/core/occupancy.ts';
const IN_FLIGHT = 'workflows/batch/core/in-flight.ts';
const RATE = 'workflows/batch/core/start-rate.ts';
const STOP = 'workflows/batch/core/stop.ts';
const FRESH = 'workflows/batch/core/fresh-turns.ts';
const CHILD = 'workflows/batch/core/child-id.ts';
const SKIPS = 'workflows/batch/core/skips.ts';
const TALLY = 'workflows/batch/core/tally.ts';
const SEQ_SET = 'workflows/batch/core/seq-set.ts';
const WINDOW = 'control/clock/window.ts';

export const batch: Room = {
  name: 'batch',
  tests: ['test/unit/batch-', 'test/property/batch'],
  simulated: false,
  bugs: [
    {
      id: 'batch/one-try-too-few',
      file: RETRIES,
      find: 'if (ticket.failures > max) return false;',
      replace: 'if (ticket.failures >= max) return false;',
      breaks: 'A move gets one retry less than was asked for.',
      kind: 'off by one',
    },
    {
      id: 'batch/pause-does-not-double',
      file: RETRIES,
      find: 'backoffMs * 2 ** (ticket.failures - 1), PAUSE_MS_MAX);',
      replace: 'backoffMs * ticket.failures, PAUSE_MS_MAX);',
      breaks: 'Retries of a struggling estate come too soon.',
      kind: 'wrong value',
    },
    {
      id: 'batch/due-a-moment-late',
      file: RETRIES,
      find: 'dueAtMs <= nowMs);',
      replace: 'dueAtMs < nowMs);',
      breaks: 'A retry is not due at its time, and nothing wakes the batch later.',
      kind: 'off by one',
    },
    {
      id: 'batch/canary-one-too-many',
      file: CANARY,
      find: 'planned : Math.min(planned, this.#options.count);',
      replace: 'planned : Math.min(planned, this.#options.count + 1);',
      breaks: 'One move more than the canary starts before approval.',
      kind: 'off by one',
    },
    {
      id: 'batch/failed-canary-goes-on',
      file: CANARY,
      find: "if (this.#state === 'waiting' || failed === 0 || !areOthersWaiting) return undefined;",
      replace: "if (this.#state === 'waiting' || failed >= 0 || !areOthersWaiting) return undefined;",
      breaks: 'The rest of a batch starts though its first moves failed.',
      kind: 'wrong side',
    },
    {
      id: 'batch/stops-one-failure-late',
      file: POLICY,
      find: 'failed >= (count ?? Infinity) ||',
      replace: 'failed > (count ?? Infinity) ||',
      breaks: 'A batch tolerates one failure more than allowed.',
      kind: 'off by one',
    },
    {
      id: 'batch/share-of-failures-off',
      file: POLICY,
      find: 'failed * 100 >= percent * planned);',
      replace: 'failed * 100 > percent * planned);',
      breaks: 'A batch goes on at exactly the share of failures that should stop it.',
      kind: 'off by one',
    },
    {
      id: 'batch/starts-at-the-end-of-the-window',
      file: GATE,
      find: 'if (nowMs + expectedMs <= closesAtMs) return',
      replace: 'if (nowMs <= closesAtMs) return',
      breaks: 'A move starts that can not end within the window.',
      kind: 'forgotten field',
    },
    {
      id: 'batch/open-at-its-end',
      file: GATE,
      find: "if (nowMs >= closesAtMs) return atWindowEnd === 'wait' ? { kind: 'ask' } : WINDOW_ENDED;",
      replace: "if (nowMs > closesAtMs) return atWindowEnd === 'wait' ? { kind: 'ask' } : WINDOW_ENDED;",
      breaks: 'At its very end a window that is over is waited for.',
      kind: 'off by one',
    },
    {
      id: 'batch/held-batch-outlives-window',
      file: GATE,
      find: "return nowMs < closesAtMs ? { kind: 'closed', untilMs: closesAtMs } : WINDOW_ENDED;",
      replace: "return nowMs < closesAtMs ? { kind: 'closed', untilMs: Infinity } : WINDOW_ENDED;",
      breaks: 'A paused batch never notices that its window has ended.',
      kind: 'wrong value',
    },
    {
      id: 'batch/interrupted-move-forgotten',
      file: MOVES,
      find: '        this.#queue.requeue(flight.ticket, flight.item);\n        return false;',
      replace: '        return false;',
      breaks: 'A move that the end of a window interrupted is never tried again, and the batch never ends.',
      kind: 'forgotten change',
    },
    {
      id: 'batch/retries-a-refusal-that-stands',
      file: MOVES,
      find: 'if (mayRetry && !end.stands && this.#queue.queueRetry(tried, last, item, nowMs)) return false;',
      replace: 'if (mayRetry && this.#queue.queueRetry(tried, last, item, nowMs)) return false;',
      breaks: 'A move that can never succeed is tried again and again.',
      kind: 'missing guard',
    },
    {
      id: 'batch/retries-while-stopping',
      file: MOVES,
      find: 'if (mayRetry && !end.stands && this.#queue.queueRetry(tried, last, item, nowMs)) return false;',
      replace: 'if (!end.stands && this.#queue.queueRetry(tried, last, item, nowMs)) return false;',
      breaks: 'A move that fails while its batch stops waits for a retry that never comes.',
      kind: 'missing guard',
    },
    {
      id: 'batch/expects-the-shortest',
      file: DURATIONS,
      find: 'Math.max(beforehandMs, measuredMs) : measuredMs;',
      replace: 'Math.min(beforehandMs, measuredMs) : measuredMs;',
      breaks: 'After one quick move a batch starts moves that do not fit into the window.',
      kind: 'wrong side',
    },
    {
      id: 'batch/one-busy-appliance-passes',
      file: OCCUPANCY,
      find: 'place.appliances.every((appliance)',
      replace: 'place.appliances.some((appliance)',
      breaks: 'A move starts though one of its two appliances has as many as it may.',
      kind: 'only some',
    },
    {
      id: 'batch/room-not-given-back',
      file: IN_FLIGHT,
      find: '    if (flight?.item !== undefined) this.#occupancy.leave(flight.item);\n',
      replace: '',
      breaks: 'A batch with limits per group stands still after its first moves.',
      kind: 'forgotten change',
    },
    {
      id: 'batch/one-more-than-the-limit',
      file: IN_FLIGHT,
      find: 'return this.size >= this.#limits.all;',
      replace: 'return this.size > this.#limits.all;',
      breaks: 'One move more than allowed runs at once.',
      kind: 'off by one',
    },
    {
      id: 'batch/cancels-again-and-again',
      file: IN_FLIGHT,
      find: 'const notAsked = this.#all.filter(({ cancelAsked }) => !cancelAsked);',
      replace: 'const notAsked = this.#all;',
      breaks: 'A batch that rolls back asks for the same cancellations without end.',
      kind: 'missing guard',
    },
    {
      id: 'batch/rate-of-the-last-start',
      file: RATE,
      find: 'const oldest = this.#starts.at(-count);',
      replace: 'const oldest = this.#starts.at(-1);',
      breaks: 'A batch with a rate of starts gets on far too slowly.',
      kind: 'wrong value',
    },
    {
      id: 'batch/later-stop-is-milder',
      file: STOP,
      find: "next.running === 'roll-back' || first?.running === 'roll-back';",
      replace: "next.running === 'roll-back';",
      breaks: 'A second reason to stop lets moves finish that were to be rolled back.',
      kind: 'forgotten field',
    },
    {
      id: 'batch/second-round-skips',
      file: FRESH,
      find: 'if (!this.#again.delete(seq)) this.#cursor += 1;',
      replace: 'this.#again.delete(seq);\n    this.#cursor += 1;',
      breaks: 'After "retry failed" as many new moves are never made.',
      kind: 'missing guard',
    },
    {
      id: 'batch/two-tries-of-one-name',
      file: CHILD,
      find: "starts === 1 ? '' : `-try-${starts}`;",
      replace: "starts <= 2 ? '' : `-try-${starts}`;",
      breaks: 'The second try of a move is taken for the first one, which has failed.',
      kind: 'off by one',
    },
    {
      id: 'batch/skips-only-whole-machines',
      file: SKIPS,
      find: 'return volumes.some((volume) => this.#volumes.has(volume));',
      replace: 'return volumes.every((volume) => this.#volumes.has(volume));',
      breaks: 'A volume that was to be skipped moves with the other disks of its machine.',
      kind: 'only some',
    },
    {
      id: 'batch/old-failures-shown-again',
      file: TALLY,
      find: '    this.#failed = new SeqSet();\n    this.#failures = [];',
      replace: '    this.#failed = new SeqSet();',
      breaks: 'Failures that were queued again are shown twice.',
      kind: 'forgotten change',
    },
    {
      id: 'batch/pause-forgotten',
      file: CORE,
      find: '      ...(this.#pausedBy === undefined ? {} : { pausedBy: this.#pausedBy }),\n',
      replace: '',
      breaks: 'A paused batch goes on by itself after a few thousand events.',
      kind: 'forgotten field',
    },
    {
      id: 'batch/stop-forgotten',
      file: CORE,
      find: '      ...(this.#stop === undefined ? {} : { stop: this.#stop }),\n',
      replace: '',
      breaks: 'A batch that was aborted starts moves again in its next run.',
      kind: 'forgotten field',
    },
    {
      id: 'batch/retries-not-given-up',
      file: CORE,
      find: '    if (this.#stop !== undefined) this.#moves.failRetries();\n',
      replace: '',
      breaks: 'Moves that failed are reported as not begun when the batch stops.',
      kind: 'forgotten change',
    },
    {
      id: 'batch/failed-canary-not-reopened',
      file: CORE,
      find: '    this.#canary.reopen();\n',
      replace: '',
      breaks: 'After "retry failed" the first moves do not start again: they wait for an approval of nothing.',
      kind: 'forgotten change',
    },
    {
      id: 'batch/first-word-of-a-set-lost',
      file: SEQ_SET,
      find: 'if (place === this.#lowest) this.#lowest = place + 1;',
      replace: 'if (place >= this.#lowest) this.#lowest = place + 1;',
      breaks: 'Failed moves far apart are not all tried again.',
      kind: 'wrong side',
    },
    {
      id: 'batch/window-over-midnight',
      file: WINDOW,
      find: 'endsAt > startsAt ? endsAt : endsAt + DAY_MS);',
      replace: 'endsAt >= startsAt ? endsAt : endsAt + DAY_MS);',
      breaks: 'A window of a whole day never opens.',
      kind: 'off by one',
    },
    {
      id: 'batch/window-of-yesterday',
      file: WINDOW,
      find: 'const firstDay = startOfDay(clock(atMs)) - 2 * DAY_MS;',
      replace: 'const firstDay = startOfDay(clock(atMs));',
      breaks: 'A window that began before midnight counts as closed.',
      kind: 'off by one',
    },
  ],
};
