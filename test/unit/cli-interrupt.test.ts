// Ctrl-C through `npm run`, which repeats the signal that the terminal has sent already.
import { afterEach, expect, test, vi } from 'vitest';
import { EXIT } from '../../client/cli/exit-code.js';
import { type Interrupt, listenForInterrupt } from '../../client/cli/interrupt.js';

let interrupt: Interrupt | undefined;
afterEach(() => {
  interrupt?.stopListening();
  vi.restoreAllMocks();
});

function listen(): { readonly press: () => void; readonly ends: unknown[]; passTime: (ms: number) => void } {
  const before = process.listeners('SIGINT').length;
  const ends: unknown[] = [];
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    ends.push(code);
    throw new Error('ended');
  });
  let nowMs = 1_000;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  interrupt = listenForInterrupt();
  const added = process.listeners('SIGINT').slice(before);
  return {
    press: () => added.forEach((listener) => listener('SIGINT')),
    ends,
    passTime: (ms) => (nowMs += ms),
  };
}

test('a press that arrives twice aborts once, and leaves the command time to clean up', () => {
  const { press, ends, passTime } = listen();
  press();
  passTime(30);
  press();
  expect(interrupt?.signal.aborted).toBe(true);
  expect(ends).toEqual([]);
});

test('a second press ends a command that does not end by itself', () => {
  const { press, ends, passTime } = listen();
  press();
  passTime(5_000);
  expect(press).toThrow('ended');
  expect(ends).toEqual([EXIT.interrupted]);
});
