// The next ticket, as the workflow reads it before it plans an attempt.
import { expect, test } from 'vitest';
import { ticketFloor } from '../../activities/ticket-floor.js';
import { type ErrorCode, MoverError } from '../../contracts/errors.js';
import { applianceIdSchema } from '../../contracts/ids.js';
import type { AppliancePort, Ports } from '../../control/ports.js';

/** An appliance of which only this call is answered. */
function portsOf(answer: () => Promise<{ floor: number }>): Ports {
  const id = applianceIdSchema.parse('a1');
  const calls = { ticketFloor: answer } satisfies Partial<AppliancePort['calls']>;
  return {
    appliances: new Map([[id, { id, url: 'http://a1.test', calls: calls as unknown as AppliancePort['calls'] }]]),
    splitters: new Map(),
  };
}

const refuses = (code: ErrorCode) => async (): Promise<never> => Promise.reject(new MoverError(code, 'no'));

test('the site says which ticket is next', async () => {
  expect(await ticketFloor(portsOf(async () => Promise.resolve({ floor: 7 })))).toBe(7);
});

test('an appliance of an earlier version has no such call: the attempt goes without a floor', async () => {
  expect(await ticketFloor(portsOf(refuses('ROUTE_NOT_FOUND')))).toBeUndefined();
});

test('an appliance that does not answer is asked again by the workflow', async () => {
  await expect(ticketFloor(portsOf(refuses('UNREACHABLE')))).rejects.toMatchObject({ code: 'UNREACHABLE' });
});
