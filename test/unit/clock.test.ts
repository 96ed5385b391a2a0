// The watch over a process's wall clock, and the words for what it finds.
import { describe, expect, test } from 'vitest';
import { shiftText, skewSentence } from '../../contracts/clock.js';
import { ClockWatch } from '../../control/clock/clock-watch.js';
import { SettableClock } from '../support/settable-clock.js';

const MINUTE_MS = 60_000;
const AGREES_MS = 5 * MINUTE_MS;
const START_MS = Date.UTC(2026, 10, 28);

function watched(): { clock: SettableClock; watch: ClockWatch; said: string[]; look: (ms: number) => void } {
  const clock = new SettableClock(START_MS);
  const said: string[] = [];
  const watch = new ClockWatch({
    clock,
    process: 'splitter s1',
    agreesAfterMs: AGREES_MS,
    onJump: ({ jumpMs }) => said.push(shiftText(jumpMs)),
    onAgreed: () => said.push('agreed'),
  });
  /** Time passes, looked at once a second. */
  const look = (ms: number): void => {
    for (let leftMs = ms; leftMs > 0; leftMs -= 1_000) {
      clock.pass(Math.min(1_000, leftMs));
      watch.read();
    }
  };
  return { clock, watch, said, look };
}

describe('a wall clock', () => {
  test('that goes as monotonic time does is not doubted, also when nobody looks for long, or it is slewed', () => {
    const { clock, watch, said, look } = watched();
    look(10 * MINUTE_MS);
    clock.pass(24 * 60 * MINUTE_MS);
    expect(watch.read().doubt).toBeUndefined();
    // As fast as a time service slews: 500 millionths.
    for (let i = 0; i < 3_600; i += 1) {
      clock.shift(0.5);
      look(1_000);
    }
    expect(said).toEqual([]);
    expect(watch.isAgreed).toBe(true);
  });

  test('is not doubted by a process that was suspended between reading one clock and the other', () => {
    const clock = new SettableClock(START_MS);
    let suspendedMs = 5_000;
    const watch = new ClockWatch({
      process: 'splitter s1',
      clock: {
        monotonicMs: () => clock.monotonicMs(),
        wallMs: () => {
          clock.pass(suspendedMs);
          suspendedMs = 0;
          return clock.wallMs();
        },
      },
    });
    clock.pass(1_000);
    expect(watch.read().doubt).toBeUndefined();
    suspendedMs = 5_000;
    expect(watch.read().doubt).toBeUndefined();
    expect(watch.read().doubt).toBeUndefined();
  });

  test.each([31 * 24 * 60 * MINUTE_MS, -10 * MINUTE_MS, 2 * 60 * MINUTE_MS, -1_500])(
    'that jumps by %i ms is doubted by the first reading that has it, until it agreed for long enough',
    (jumpMs) => {
      const { clock, watch, said, look } = watched();
      look(MINUTE_MS);
      clock.shift(jumpMs);
      const { doubt, wallMs } = watch.read();
      expect(doubt).toEqual({ process: 'splitter s1', jumpMs, sinceMs: START_MS + MINUTE_MS, jumps: 1 });
      expect(wallMs).toBe(START_MS + MINUTE_MS + jumpMs);
      look(AGREES_MS - 1);
      expect(watch.read().doubt).toBeDefined();
      look(1);
      expect(watch.read().doubt).toBeUndefined();
      expect(said).toEqual([shiftText(jumpMs), 'agreed']);
    },
  );

  test('that jumps there and back is doubted from the second jump on for as long again', () => {
    const { clock, watch, look } = watched();
    look(AGREES_MS);
    clock.shift(AGREES_MS);
    look(AGREES_MS - 1_000);
    clock.shift(-AGREES_MS);
    look(AGREES_MS - 1_000);
    expect(watch.read().doubt).toMatchObject({ jumps: 2, jumpMs: -AGREES_MS, sinceMs: START_MS + AGREES_MS });
    expect(watch.isAgreed).toBe(false);
  });

  test('that is set on by a little again and again is noticed all the same', () => {
    const { clock, watch, look } = watched();
    for (let i = 0; i < 5; i += 1) {
      clock.shift(900);
      look(1_000);
    }
    expect(watch.read().doubt).toBeDefined();
  });
});

test.each([
  [31 * 24 * 60 * MINUTE_MS - 3, '+31 d'],
  [-10 * MINUTE_MS + 2, '-10 min'],
  [90 * MINUTE_MS, '+1 h 30 min'],
  [25 * 60 * MINUTE_MS, '+1 d 1 h'],
  [1_500, '+2 s'],
  [-400, '-400 ms'],
])('a shift of %i ms reads %s', (ms, words) => {
  expect(shiftText(ms)).toBe(words);
});

test('a skew says whose clock is where', () => {
  expect(skewSentence({ process: 'splitter host-1', aheadMs: -7_200_000 }, 'appliance a1')).toContain(
    'The clock of splitter host-1 is 2 h behind that of appliance a1:',
  );
});
