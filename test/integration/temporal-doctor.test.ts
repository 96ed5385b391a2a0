// Moves that were terminated at each stage, on the real Temporal server: the doctor, or a move that
// takes over, ends what they left by the replica site's verdict, and leaves running moves alone.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DeadAttempts } from '../../client/doctor/dead-attempts.js';
import { Doctor } from '../../client/doctor/doctor.js';
import type { Examination, Finding } from '../../client/doctor/doctor-client.js';
import { takeOver } from '../../client/moves/take-over.js';
import { MoverError } from '../../contracts/errors.js';
import { groupIdSchema, moveIdSchema, splitterIdSchema, volumeIdSchema } from '../../contracts/ids.js';
import { applianceApi } from '../../contracts/appliance-api.js';
import { moveInputSchema } from '../../contracts/move.js';
import { anyAppliance } from '../../control/ports.js';
import { COSTLY_POLL_INTERVAL_MS, PATIENCE_MS, until } from '../support/until.js';
import { type MoveHandle, Moves } from './support/moves.js';
import { PortFaults } from './support/port-faults.js';

const VOLUME = volumeIdSchema.parse('s0v0');
const MOVE = { volume: VOLUME, to: 'g2' };
const BY = { operator: 'ann', reason: 'the host was rebuilt' };

let moves: Moves;
/** Faults between the doctor and the estate; the move's own are in `moves.live.faults`. */
let faults: PortFaults;
let doctor: Doctor;
let attempts: DeadAttempts;
/** Lets activities go on that a test holds up. */
let releases: (() => void)[] = [];

beforeEach(async () => {
  moves = await Moves.start();
  faults = new PortFaults();
  const { live, client } = moves;
  const reached = { temporal: async () => Promise.resolve({ client }), ports: faults.wrap(live.world.ports()) };
  attempts = new DeadAttempts(reached);
  doctor = new Doctor({
    ...reached,
    // The estate file, schedules and images of this estate are in order.
    estate: { plan: async () => Promise.resolve({ ok: true, differences: [], moved: [] }) },
    schedules: { list: async () => Promise.resolve({ schedules: [], unreadable: [], foreign: 0 }) },
    images: { list: async () => Promise.resolve({ accesses: [], unreachable: [] }) },
  });
});
afterEach(async () => {
  for (const release of releases) release();
  releases = [];
  await moves.stop();
});

/** A move that stands at a call. */
async function heldAt(call: Parameters<PortFaults['hold']>[0], place: 'before' | 'after'): Promise<MoveHandle> {
  const hold = moves.live.faults.hold(call, place);
  releases.push(hold.release);
  const handle = await moves.move({ ...MOVE, reason: 'tiers' });
  await hold.reached;
  return handle;
}

function kindsOf({ findings }: Examination): Finding['kind'][] {
  return findings.map(({ kind }) => kind).toSorted();
}

function idOf(handle: MoveHandle): string {
  return `${handle.workflowId}@${handle.firstExecutionRunId}`;
}

async function expectOwner(group: string, epoch: number): Promise<void> {
  await moves.live.checkPromises();
  expect(moves.live.groupOf(VOLUME)).toBe(group);
  expect(moves.live.epochOf(VOLUME)).toBe(epoch);
  moves.live.world.guestRuns = true;
}

describe('what a terminated move left', () => {
  test.each([
    { stage: 'it was announced', call: 'notify', place: 'after', kinds: ['notice', 'open attempt', 'reservation'] },
    { stage: 'its fence was raised', call: 'drain', place: 'before', kinds: ['fence', 'open attempt', 'reservation'] },
    {
      stage: 'its snapshot was sealed',
      call: 'bookmark',
      place: 'before',
      kinds: ['fence', 'open attempt', 'pin', 'reservation'],
    },
  ] as const)('after $stage is found, and given back to the old group', async ({ call, place, kinds }) => {
    const handle = await heldAt(call, place);
    await handle.terminate('one click too many');
    const found = await doctor.examine();
    expect(found).toMatchObject({ ok: false, running: [] });
    expect(kindsOf(found)).toEqual(kinds);
    for (const finding of found.findings)
      expect(finding).toMatchObject({ heldBy: idOf(handle), owner: 'terminated', isFixable: true, isResidue: true });

    const mended = await doctor.fix(BY);
    expect(mended.settled).toEqual([
      {
        move: idOf(handle),
        attempt: 1,
        isOpen: false,
        verdict: 'ABORTED',
        done: 'Aborted: s0v0 stays in g1, with all recovery points.',
        left: [],
      },
    ]);
    expect(mended).toMatchObject({ ok: true, findings: [] });
    const { record } = moves.live.world.site.state.attempts.get(`${idOf(handle)}#1`) ?? {};
    expect(record?.reason).toBe("the move's workflow was terminated; cleaned up by ann: the host was rebuilt");
    const report = moves.live.world.reports.get(moveIdSchema.parse(idOf(handle)));
    expect(report).toMatchObject({
      outcome: 'terminated',
      volumes: [VOLUME],
      from: 'g1',
      to: 'g2',
      reason: 'tiers',
      problem: { code: 'ATTEMPT_ABORTED' },
      progress: { attempt: 1 },
      ending: { how: 'terminated', why: 'one click too many', attempt: 1, verdict: 'ABORTED', left: [] },
    });
    expect(report.ending?.by).not.toBe('');
    expect(report.ending?.record).toContain('cleaned up by ann');
    // What was on its way arrives at last, and changes nothing.
    for (const release of releases) release();
    await expectOwner('g1', 1);
    expect(await doctor.fix(BY)).toMatchObject({ ok: true, settled: [] });
    expect(await (await moves.move(MOVE)).result()).toMatchObject({ outcome: 'moved', attempt: { n: 1 } });
    await expectOwner('g2', 2);
  });

  test('after the commit is completed: the splitter learns who owns the volume, and nothing is undone', async () => {
    const handle = await heldAt('learn', 'before');
    await handle.terminate('one click too many');
    const found = await doctor.examine();
    expect(found.findings).toMatchObject([
      {
        kind: 'fence',
        subject: VOLUME,
        heldBy: idOf(handle),
        action: 'Splitter s0 is told that group g2 owns the volume.',
      },
    ]);
    expect(await doctor.fix()).toMatchObject({
      ok: true,
      settled: [{ verdict: 'COMMITTED', done: 'Completed: the move was committed, and group g2 owns s0v0.', left: [] }],
    });
    const report = moves.live.world.reports.get(moveIdSchema.parse(idOf(handle)));
    expect(report).toMatchObject({
      outcome: 'terminated',
      problem: { code: 'ATTEMPT_COMMITTED' },
      progress: { stage: 'reconfigure' },
      ending: { verdict: 'COMMITTED', done: 'Completed: the move was committed, and group g2 owns s0v0.' },
    });
    for (const release of releases) release();
    await expectOwner('g2', 2);
  });

  test('is ended once by two doctors at the same time', async () => {
    const handle = await heldAt('drain', 'before');
    await handle.terminate('one click too many');
    const both = await Promise.all([doctor.fix(BY), doctor.fix(BY)]);
    expect(both.map(({ ok }) => ok)).toEqual([true, true]);
    await expectOwner('g1', 1);
  });

  test('stays at a splitter that does not answer, is named, and is mended by the next fix', async () => {
    const handle = await heldAt('drain', 'before');
    await handle.terminate('one click too many');
    faults.fail('learn', new MoverError('UNREACHABLE', 'The line is dead.'), 1);
    const first = await doctor.fix(BY);
    expect(first.settled).toMatchObject([
      {
        verdict: 'ABORTED',
        left: ['Splitter "s0" does not know yet that "s0v0" stays: The line is dead. It asks for the verdict itself.'],
      },
    ]);
    expect(first.ok).toBe(false);
    expect(kindsOf(first)).toEqual(['fence']);
    expect(await doctor.fix(BY)).toMatchObject({ ok: true, settled: [{ verdict: 'ABORTED', left: [] }] });
    await expectOwner('g1', 1);
  });
});

test('what a running move holds is its own', async () => {
  const handle = await heldAt('drain', 'before');
  expect(await doctor.examine()).toEqual({ ok: true, findings: [], running: [idOf(handle)] });
  expect(await doctor.fix(BY)).toMatchObject({ ok: true, settled: [] });
  for (const release of releases) release();
  expect(await handle.result()).toMatchObject({ outcome: 'moved', attempt: { n: 1 } });
  await expectOwner('g2', 2);
});

test('a workflow that was reset runs again, so it counts as running', async () => {
  const handle = await heldAt('drain', 'before');
  await handle.terminate('one click too many');
  const { events } = await moves.client.workflow.getHandle(handle.workflowId).fetchHistory();
  const first = events?.find((event) => event.workflowTaskCompletedEventAttributes);
  await moves.client.workflowService.resetWorkflowExecution({
    namespace: moves.client.options.namespace,
    workflowExecution: { workflowId: handle.workflowId, runId: handle.firstExecutionRunId },
    workflowTaskFinishEventId: first?.eventId ?? null,
    requestId: randomUUID(),
    reason: 'to see what happens',
  });
  expect((await doctor.examine()).findings).toEqual([]);
  for (const release of releases) release();
  await moves.client.workflow.getHandle(handle.workflowId).result();
  await expectOwner('g2', 2);
});

/** An attempt whose workflow this Temporal server never had. */
async function openedElsewhere(): Promise<void> {
  const ports = moves.live.world.ports();
  const attempt = { move: moveIdSchema.parse(`elsewhere@${randomUUID()}`), n: 1 };
  const opening = applianceApi.open.input.parse({
    attempt,
    volumes: [{ volume: VOLUME, splitter: splitterIdSchema.parse('s0'), epoch: 1 }],
    from: groupIdSchema.parse('g1'),
    to: groupIdSchema.parse('g2'),
    leaseMs: 1_500,
    deadlineAfterMs: 10_000,
  });
  await anyAppliance(ports, ({ calls }) => calls.open(opening));
}

test('an attempt of a move that this Temporal server does not know is ended once its lease has run out', async () => {
  await openedElsewhere();
  const found = await doctor.examine();
  expect(found.findings[0]).toMatchObject({ kind: 'open attempt', owner: 'unknown', isFixable: false });
  expect(found.findings[0]?.action).toMatch(/^This Temporal server does not know the move, and its lease still runs\./);
  const early = await doctor.fix(BY);
  expect(early.settled).toMatchObject([{ done: 'Left open.' }]);
  expect(early.settled[0]?.left).toEqual([
    'Its lease still runs, and this Temporal server does not know the move: it may run elsewhere.',
  ]);
  const mended = async (): Promise<true | undefined> => {
    const { ok, settled } = await doctor.fix(BY);
    return ok && settled[0]?.verdict === 'ABORTED' ? true : undefined;
  };
  await until('the end of the lease', PATIENCE_MS, mended, COSTLY_POLL_INTERVAL_MS);
  await expectOwner('g1', 1);
});

describe('a move that takes over', () => {
  const NEXT = moveInputSchema.parse({ volume: VOLUME, to: 'g3', operator: 'ann' });

  test.each([
    { stage: 'it was announced', call: 'notify', place: 'after', verdict: 'ABORTED', from: 'g1', epoch: 2 },
    { stage: 'its fence was raised', call: 'drain', place: 'before', verdict: 'ABORTED', from: 'g1', epoch: 2 },
    { stage: 'its snapshot was sealed', call: 'bookmark', place: 'before', verdict: 'ABORTED', from: 'g1', epoch: 2 },
    { stage: 'its commit', call: 'learn', place: 'before', verdict: 'COMMITTED', from: 'g2', epoch: 3 },
  ] as const)('from one terminated after $stage needs no wait', async ({ call, place, verdict, from, epoch }) => {
    const handle = await heldAt(call, place);
    await handle.terminate('one click too many');
    expect(await takeOver(attempts, NEXT)).toMatchObject([{ move: idOf(handle), verdict, left: [] }]);
    const { record } = moves.live.world.site.state.attempts.get(`${idOf(handle)}#1`) ?? {};
    if (verdict === 'ABORTED')
      expect(record?.reason).toBe("the move's workflow was terminated; cleaned up by ann: a move to g3 takes over");
    const next = await moves.move({ volume: VOLUME, to: 'g3' });
    expect(await next.result()).toMatchObject({ outcome: 'moved', attempt: { n: 1 }, from: { group: from } });
    for (const release of releases) release();
    await expectOwner('g3', epoch);
  });

  test('from one that runs is refused by its name, or queues behind it', async () => {
    const handle = await heldAt('drain', 'before');
    await expect(takeOver(attempts, NEXT)).rejects.toMatchObject({
      code: 'VOLUME_BUSY',
      message: `The move cannot take over: move ${idOf(handle)} still runs. To wait for its end: --queue ("queue": true). To end it: volume-mover cancel ${idOf(handle)}`,
    });
    expect(await takeOver(attempts, { ...NEXT, queue: true })).toEqual([]);
    for (const release of releases) release();
    expect(await handle.result()).toMatchObject({ outcome: 'moved', attempt: { n: 1 } });
  });

  test('leaves other volumes’ moves alone', async () => {
    const handle = await heldAt('drain', 'before');
    await handle.terminate('one click too many');
    expect(await takeOver(attempts, moveInputSchema.parse({ volume: 's0v1', to: 'g3' }))).toEqual([]);
    expect((await doctor.examine()).ok).toBe(false);
    expect(await takeOver(attempts, NEXT)).toHaveLength(1);
  });

  test('from one that may run under another Temporal server is refused while its lease runs', async () => {
    await openedElsewhere();
    await expect(takeOver(attempts, NEXT)).rejects.toThrow(
      /^The move cannot take over from elsewhere@.* yet\. Its lease still runs/,
    );
  });
});
