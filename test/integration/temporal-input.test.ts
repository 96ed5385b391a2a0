// What people start workflows with by mistake is refused at once, in words that help; no workflow
// task ever fails over it.
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as workflows from '../../workflows/index.js';
import { activitiesOf, failedTasksOf, failureOf, Moves, type MoveHandle } from './support/moves.js';

let moves: Moves;
beforeAll(async () => {
  moves = await Moves.start();
});
afterAll(async () => moves.stop());

const good = { volume: 's0v0', to: 'g2' };
const EXAMPLE = '{"volume":"vm-17-disk-0","to":"cg-silver"}';

describe('bad input is INVALID_REQUEST, naming the field and giving an example', () => {
  test.each([
    { what: 'no input', args: [], says: 'input: nothing was given' },
    { what: 'two arguments', args: [good, good], says: 'input: 2 arguments were given' },
    { what: 'null', args: [null], says: 'expected object' },
    { what: 'a string of JSON', args: [JSON.stringify(good)], says: 'expected object, received string' },
    { what: 'a list', args: [[good]], says: 'expected object, received array' },
    { what: 'a number', args: [7], says: 'expected object, received number' },
    { what: 'bytes', args: [new Uint8Array([1, 2])], says: 'input' },
    { what: 'no target', args: [{ volume: 's0v0' }], says: 'to: ' },
    { what: 'no volume', args: [{ to: 'g2' }], says: 'volume: give either "volume"' },
    { what: 'both forms', args: [{ ...good, volumes: ['s0v1'] }], says: 'volume: give either "volume"' },
    { what: 'an unknown field', args: [{ ...good, target: 'g2' }], says: 'unknown field "target"' },
    {
      what: 'an unknown option',
      args: [{ ...good, options: { lease: 5 } }],
      says: 'options.lease: unknown field "lease"',
    },
    { what: 'a wrong type', args: [{ ...good, to: 3 }], says: 'to: ' },
    { what: 'an empty name', args: [{ ...good, volume: '' }], says: 'volume: letters, digits' },
    { what: 'a path as a name', args: [{ ...good, volume: '../etc' }], says: 'volume: letters, digits' },
    {
      what: 'a name that is too long',
      args: [{ ...good, volume: 'v'.repeat(65) }],
      says: 'volume: at most 64 characters',
    },
    { what: 'an empty list', args: [{ volumes: [], to: 'g2' }], says: 'volumes: ' },
    { what: 'a volume twice', args: [{ volumes: ['s0v0', 's0v0'], to: 'g2' }], says: 'volumes: each volume only once' },
    {
      what: 'too many volumes',
      args: [{ volumes: Array.from({ length: 65 }, (_, i) => `v${i}`), to: 'g2' }],
      says: 'volumes: ',
    },
    { what: 'a verify that is no yes or no', args: [{ ...good, verify: 'yes' }], says: 'verify: ' },
    { what: 'a lease that is too short', args: [{ ...good, options: { leaseMs: 10 } }], says: 'options.leaseMs: ' },
  ])('$what', async ({ args, says }) => {
    const handle = await moves.startAny('moveVolume', args);
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'INVALID_REQUEST', nonRetryable: true });
    expect(failure.message).toContain(says);
    expect(failure.message).toContain(EXAMPLE);
    expect(failure.details).toMatchObject([{ problem: { code: 'INVALID_REQUEST' } }]);
    expect(await activitiesOf(handle)).toEqual([]);
    expect(await failedTasksOf(handle)).toBe(0);
  });
});

describe('of a verification too', () => {
  test.each([
    { what: 'no input', args: [], says: 'input: nothing was given' },
    { what: 'no volume', args: [{}], says: 'volume: is missing' },
    { what: 'a rate of nothing', args: [{ volume: 's0v0', bytesPerSecond: 0 }], says: 'bytesPerSecond: ' },
    { what: 'an unknown field', args: [{ volume: 's0v0', to: 'g2' }], says: 'unknown field "to"' },
  ])('$what', async ({ args, says }) => {
    const handle = await moves.startAny('verifyVolume', args);
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'INVALID_REQUEST', nonRetryable: true });
    expect(failure.message).toContain(says);
    expect(failure.message).toContain('{"volume":"vm-17-disk-0"}');
    expect(await activitiesOf(handle)).toEqual([]);
    expect(await failedTasksOf(handle)).toBe(0);
  });
});

test('input that is no JSON at all ends the workflow too, without a failed task', async () => {
  const workflowId = `raw-${randomUUID()}`;
  await moves.client.workflowService.startWorkflowExecution({
    namespace: moves.client.options.namespace,
    workflowId,
    requestId: randomUUID(),
    workflowType: { name: 'moveVolume' },
    taskQueue: { name: moves.taskQueue },
    input: { payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{"volume": ') }] },
  });
  const handle = moves.client.workflow.getHandle(workflowId) as MoveHandle;
  const failure = await failureOf(handle);
  expect(failure.type).toBe('INVALID_REQUEST');
  expect(failure.message).toContain('expected object, received string');
  expect(await failedTasksOf(handle)).toBe(0);
});

test('a workflow id that is too long for a move id is refused, and the limit is said', async () => {
  const failure = await failureOf(await moves.startAny('moveVolume', [good], 'w'.repeat(500)));
  expect(failure.type).toBe('INVALID_REQUEST');
  expect(failure.message).toContain('The workflow id is too long: a move takes at most 263 characters');
});

describe('a workflow type that does not exist', () => {
  test.each(['movevolume', 'moveVolumes', 'default'])('"%s" fails at once and names those that do', async (type) => {
    const handle = await moves.startAny(type, [good]);
    const failure = await failureOf(handle);
    expect(failure).toMatchObject({ type: 'UNKNOWN_WORKFLOW', nonRetryable: true });
    const known = Object.keys(workflows).filter((name) => name !== 'default');
    expect(failure.message).toBe(
      `There is no workflow type "${type}" on task queue "${moves.taskQueue}". The types are ${known.map((name) => `"${name}"`).join(', ')}.`,
    );
    expect(await failedTasksOf(handle)).toBe(0);
  });
});
