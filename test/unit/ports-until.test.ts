// Calls that end with whoever makes them.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { applianceIdSchema } from '../../contracts/ids.js';
import { createHttpPorts } from '../../control/http-ports.js';
import { applianceOf, type Ports } from '../../control/ports.js';
import { portsUntil } from '../../control/ports-until.js';
import { estateOf } from '../support/test-estate.js';

const A1 = applianceIdSchema.parse('a1');

/** A process that takes a request and never answers. */
const silent = createServer(() => arrived());
let arrived: () => void = () => undefined;
let ports: Ports;
beforeEach(async () => {
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const estate = estateOf({ groups: { g1: { appliance: 'a1', volumes: [] } }, sizeMiB: 1 });
  const appliances = estate.appliances.map((each) => ({ ...each, control: { ...each.control, port } }));
  ports = createHttpPorts({ ...estate, appliances });
});
afterEach(() => {
  silent.closeAllConnections();
  silent.close();
});

test('a call that is waited for ends with the reason of the signal', async () => {
  const stop = new AbortController();
  const asked = new Promise<void>((resolve) => (arrived = resolve));
  const { calls } = applianceOf(portsUntil(stop.signal, ports), A1);
  const call = calls.groups({});
  await asked;
  stop.abort(new Error('the worker stops'));
  await expect(call).rejects.toThrow('the worker stops');
  await expect(calls.groups({})).rejects.toThrow('the worker stops');
});

test('a call with a signal of its own heeds that one', async () => {
  const own = new AbortController();
  const asked = new Promise<void>((resolve) => (arrived = resolve));
  const call = applianceOf(portsUntil(AbortSignal.abort(), ports), A1).calls.groups({}, { signal: own.signal });
  await asked;
  own.abort(new Error('its own'));
  await expect(call).rejects.toThrow('its own');
});

test('without a signal they are the ports themselves', () => {
  expect(portsUntil(undefined, ports)).toBe(ports);
});
