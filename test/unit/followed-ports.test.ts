// Ports that follow the estate file: what it adds is reached without a restart, what it leaves out
// stays, and a file that can't be used changes nothing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { EstateInput } from '../../contracts/estate.js';
import { FollowedPorts } from '../../control/followed-ports.js';

const folder = mkdtempSync(join(tmpdir(), 'followed-'));
const path = join(folder, 'estate.json');
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a file with these appliances, by id and port. */
function write(appliances: Readonly<Record<string, number>>): void {
  const first = Object.keys(appliances)[0] ?? '';
  const estate: EstateInput = {
    replicaSite: { control: { port: 1 } },
    appliances: Object.entries(appliances).map(([id, port]) => ({ id, control: { port }, nbd: { port: 1 } })),
    splitters: [{ id: 's1', control: { port: 1 }, nbd: { port: 1 }, volumes: [] }],
    groups: [{ id: 'g1', appliance: first }],
    worker: { health: { port: 1 } },
  };
  writeFileSync(path, JSON.stringify(estate));
}

test('what the file adds is known, with its newest address; what it leaves out stays; a broken file changes nothing', () => {
  write({ a1: 7001 });
  const ports = new FollowedPorts({ path, checkIntervalMs: 0 });
  const urls = (): string[] => [...ports.appliances.values()].map(({ id, url }) => `${id} ${url}`);
  expect(urls()).toEqual(['a1 http://127.0.0.1:7001']);
  expect(ports.appliances).toBe(ports.appliances);
  write({ a1: 7001, a22: 7002 });
  expect(urls()).toEqual(['a1 http://127.0.0.1:7001', 'a22 http://127.0.0.1:7002']);
  writeFileSync(path, '{ "appliances": [');
  expect(urls()).toHaveLength(2);
  expect(ports.fault).toMatch(
    /^VOLUME_MOVER_ESTATE: the file .* cannot be used: .* Its previous content stays in use\.$/,
  );
  write({ a22: 7333 });
  expect(urls()).toEqual(['a1 http://127.0.0.1:7001', 'a22 http://127.0.0.1:7333']);
  expect(ports.fault).toBeUndefined();
});
