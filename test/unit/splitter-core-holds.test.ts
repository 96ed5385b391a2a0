// Holds of acknowledgements: raised for a cut, confirmed once, and released by themselves.
import { expect, test } from 'vitest';
import { volumeIdSchema } from '../../contracts/ids.js';
import { Holds } from '../../simulator/splitter/core/holds.js';
import { monotonicMs } from '../../simulator/splitter/shared/clock.js';
import { HeldAcknowledgements } from '../../simulator/splitter/volume/held-acknowledgements.js';

const V1 = volumeIdSchema.parse('v1');
const V2 = volumeIdSchema.parse('v2');
const HOUR_MS = 3_600_000;

test('a volume is held until its hold is confirmed, and the same answer is given again', () => {
  const holds = new Holds();
  holds.raise('r1', [V1], 100);
  expect([holds.isHeld(V1), holds.isHeld(V2)]).toEqual([true, false]);
  expect(holds.nextExpiryMs).toBe(100);
  expect(holds.confirm('r1', 99)).toBe(true);
  expect(holds.isHeld(V1)).toBe(false);
  expect(holds.nextExpiryMs).toBeUndefined();
  expect(holds.confirm('r1', 1_000)).toBe(true);
});

test('a hold that ran out is not confirmed, whether it was released before or is found out now', () => {
  const holds = new Holds();
  holds.raise('r1', [V1], 100);
  holds.raise('r2', [V1], 100);
  expect(holds.confirm('r1', 100)).toBe(false);
  expect(holds.isHeld(V1)).toBe(true);
  holds.expire(100);
  expect(holds.isHeld(V1)).toBe(false);
  expect(holds.confirm('r2', 0)).toBe(false);
});

test('a hold of an unknown key is not confirmed, then or later', () => {
  const holds = new Holds();
  expect(holds.confirm('r1', 0)).toBe(false);
  holds.raise('r1', [V1], 100);
  expect(holds.isHeld(V1)).toBe(false);
});

test('raising a hold again neither prolongs it nor raises it anew after its answer', () => {
  const holds = new Holds();
  holds.raise('r1', [V1], 100);
  holds.raise('r1', [V1, V2], 500);
  expect([holds.nextExpiryMs, holds.isHeld(V2)]).toEqual([100, false]);
  holds.confirm('r1', 50);
  holds.raise('r1', [V1], 500);
  expect(holds.isHeld(V1)).toBe(false);
});

test('a volume under two holds is held until both are over', () => {
  const holds = new Holds();
  holds.raise('r1', [V1], 100);
  holds.raise('r2', [V1, V2], 200);
  holds.expire(150);
  expect([holds.isHeld(V1), holds.isHeld(V2), holds.nextExpiryMs]).toEqual([true, true, 200]);
  holds.confirm('r2', 160);
  expect(holds.isHeld(V1)).toBe(false);
});

test('a write that was done before a hold was raised does not wait for it', () => {
  const holds = new Holds();
  holds.raise('r1', [V1], 100);
  const upTo = holds.raised;
  holds.raise('r2', [V1], 300);
  expect([holds.isHeld(V1, upTo), holds.isHeld(V1)]).toEqual([true, true]);
  holds.expire(100);
  expect([holds.isHeld(V1, upTo), holds.isHeld(V1)]).toEqual([false, true]);
});

test('an acknowledgement leaves with the hold it met, though the next cut has raised another since', async () => {
  const holds = new Holds();
  const held = new HeldAcknowledgements(holds);
  const nowMs = monotonicMs();
  holds.raise('r1', [V1], nowMs + HOUR_MS);
  const acknowledged = Promise.resolve(held.pass(V1)).then(() => 'r1');
  holds.raise('r2', [V1], nowMs + HOUR_MS);
  const next = Promise.resolve(held.pass(V1)).then(() => 'r2');
  holds.confirm('r1', nowMs);
  held.release();
  expect(await Promise.race([next, acknowledged])).toBe('r1');
  holds.confirm('r2', nowMs);
  held.release();
  expect(await next).toBe('r2');
});

test('answers are forgotten in the end, oldest first', () => {
  const holds = new Holds();
  holds.raise('first', [V1], 100);
  expect(holds.confirm('first', 0)).toBe(true);
  for (let i = 0; i < 1_024; i += 1) holds.confirm(`later-${i}`, 0);
  expect(holds.confirm('first', 0)).toBe(false);
});
