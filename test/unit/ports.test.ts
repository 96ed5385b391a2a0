// What an error says about an appliance or a splitter that the estate file does not have.
import { expect, test } from 'vitest';
import { estateSchema } from '../../contracts/estate.js';
import { applianceIdSchema, splitterIdSchema } from '../../contracts/ids.js';
import { createHttpPorts } from '../../control/http-ports.js';
import { applianceOf, splitterOf } from '../../control/ports.js';

const PORT = { port: 7000 };

function portsOf(appliances: readonly string[]): ReturnType<typeof createHttpPorts> {
  return createHttpPorts(
    estateSchema.parse({
      replicaSite: { control: PORT },
      appliances: appliances.map((id) => ({ id, control: PORT, nbd: PORT })),
      splitters: [{ id: 'host-1', control: PORT, nbd: PORT, volumes: [] }],
      groups: [{ id: 'gold', appliance: appliances[0] }],
      worker: { health: PORT },
    }),
  );
}

test('an error about a process that the estate file does not have names those that it has', () => {
  const ports = portsOf(['a1', 'a2']);
  expect(() => applianceOf(ports, applianceIdSchema.parse('a3'))).toThrow(
    'The estate file has no appliance "a3"; it has a1, a2.',
  );
  expect(() => splitterOf(ports, splitterIdSchema.parse('host-2'))).toThrow(
    'The estate file has no splitter "host-2"; it has host-1.',
  );
});

test('of many processes it names the first ones, and counts the others', () => {
  const ports = portsOf(Array.from({ length: 12 }, (_, i) => `a${i}`));
  expect(() => applianceOf(ports, applianceIdSchema.parse('b'))).toThrow(
    'it has a0, a1, a2, a3, a4, a5, a6, a7, a8, a9 and 2 more.',
  );
});
