// A dry run of a batch: it asks about each planned move, says what would stop it, and goes on where
// an earlier try was. And the waiting for moves that are none.
import { WorkflowClient } from '@temporalio/client';
import { beforeEach, describe, expect, test } from 'vitest';
import { awaitMoves, cancelMoves } from '../../activities/batch/await-moves.js';
import { type DryRun, dryRun } from '../../activities/batch/dry-run.js';
import { BATCH_FAILURES_SHOWN_MAX, batchFailureSchema, batchIdSchema } from '../../contracts/batch.js';
import { ERRORS, MoverError } from '../../contracts/errors.js';
import { moveOptionsSchema } from '../../contracts/move.js';
import { reportsApi } from '../../contracts/report.js';
import type { Ports } from '../../control/ports.js';
import { batchSite, beatingRun } from '../support/batch-site.js';
import { itemOf } from '../support/batch-state.js';

const batch = batchIdSchema.parse('b@1');
const work = { batch, options: moveOptionsSchema.parse({}) };

/** What the site knows of a volume, where it differs from a healthy one in gold. */
interface VolumeState {
  readonly group?: string;
  readonly retired?: object;
  readonly isGone?: true;
  readonly isUnreachable?: true;
}

interface Estate {
  readonly volumes: Map<string, VolumeState>;
  room: number;
  /** Volumes asked for, in order. */
  readonly asked: string[];
  /** The most volumes asked for at the same time. */
  atOnceMax: number;
}

let estate: Estate;
beforeEach(() => {
  estate = { volumes: new Map(), room: 1_000, asked: [], atOnceMax: 0 };
});

/** A site with a finished plan of so many moves from gold to silver. */
function portsWith(planned: number): Ports {
  const { plans } = batchSite({});
  const items = Array.from({ length: planned }, (_, seq) => itemOf(seq));
  plans.storePage({ batch, draft: 'd', from: 0, items });
  plans.finish({ batch, draft: 'd', planned, alreadyThere: 0, refused: 0, leftOut: [], plannedAtMs: 1 });
  let asking = 0;
  const calls = {
    batchPlan: async (query: unknown) => plans.page(reportsApi.batchPlan.input.parse(query)),
    siteVolumes: async ({ volume }: { volume: string }) => {
      estate.asked.push(volume);
      asking += 1;
      estate.atOnceMax = Math.max(estate.atOnceMax, asking);
      await new Promise((done) => setImmediate(done));
      asking -= 1;
      const { isGone, isUnreachable, ...state } = estate.volumes.get(volume) ?? {};
      if (isGone === true) throw new MoverError('VOLUME_NOT_FOUND', 'gone');
      if (isUnreachable === true) throw new MoverError('UNREACHABLE', 'The replica site does not answer.');
      const known = { volume, splitter: 's', sizeBytes: 1, group: 'gold', epoch: 1, undistributedBytes: 0 };
      return { volumes: [{ ...known, ...state }] };
    },
    siteGroups: async ({ group }: { group: string }) => ({
      groups: [{ group, appliance: 'a1', volumesMax: estate.room, volumes: 0, reserved: 0 }],
    }),
    describe: async () => ({ pausedGroups: [] }),
  };
  const inventory = async ({ volume }: { volume: string }) => {
    const group = estate.volumes.get(volume)?.group ?? 'gold';
    return { volumes: [{ route: { epoch: 1, group }, unconfirmedBytes: 0, notes: [] }] };
  };
  const appliances = new Map([['a1', { id: 'a1', url: '', calls }]]);
  return { appliances, splitters: new Map([['s', { id: 's', calls: { inventory } }]]) } as unknown as Ports;
}

const failureOf = (seq: number, code: keyof typeof ERRORS, message: string) =>
  batchFailureSchema.parse({
    seq,
    volumes: [`v${seq}`],
    to: 'silver',
    tries: 0,
    code,
    message,
    action: ERRORS[code].action,
  });

describe('a dry run', () => {
  test('asks about every move, eight at once, and says how far it is', async () => {
    const run = beatingRun<DryRun>();
    expect(await dryRun(portsWith(17), work, undefined, run)).toEqual({ looked: 17, failed: 0, failures: [] });
    expect(run.beats.map(({ looked }) => looked)).toEqual([8, 16, 17]);
    expect(estate.asked).toHaveLength(17);
    expect(estate.atOnceMax).toBe(8);
  });

  test('says what would stop a move, with every reason, and what to do about the first', async () => {
    estate.volumes.set('v1', { isGone: true });
    estate.volumes.set('v3', { group: 'bronze', retired: { atMs: 1 } });
    const failures = [
      failureOf(1, 'VOLUME_NOT_FOUND', 'there is no volume "v1"'),
      failureOf(3, 'VOLUME_RETIRED', 'volume "v3" is retired; volume "v3" is in group "bronze", not "gold"'),
    ];
    const run = beatingRun<DryRun>();
    expect(await dryRun(portsWith(4), work, undefined, run)).toEqual({ looked: 4, failed: 2, failures });
    expect(run.beats).toEqual([{ looked: 4, failed: 2, failures }]);
  });

  test('leaves room in the target to the plan, which counted it for all moves together', async () => {
    estate.room = 0;
    estate.volumes.set('v1', { retired: { atMs: 1 } });
    expect(await dryRun(portsWith(2), work, undefined, beatingRun())).toEqual({
      looked: 2,
      failed: 1,
      failures: [failureOf(1, 'VOLUME_RETIRED', 'volume "v1" is retired')],
    });
  });

  test('goes on where the last heartbeat of an earlier try was', async () => {
    const earlier: DryRun = { looked: 3, failed: 1, failures: [failureOf(0, 'VOLUME_NOT_FOUND', 'there is none')] };
    estate.volumes.set('v4', { isGone: true });
    const { looked, failed, failures } = await dryRun(portsWith(5), work, earlier, beatingRun());
    expect([looked, failed]).toEqual([5, 2]);
    expect(failures.map(({ seq }) => seq)).toEqual([0, 4]);
    expect(estate.asked).toEqual(['v3', 'v4']);
  });

  test.each([{ earlier: { looked: -1 } }, { earlier: 'all of it' }, { earlier: { looked: 3 } }])(
    'begins anew when the earlier heartbeat is $earlier',
    async ({ earlier }) => {
      const all = { looked: 5, failed: 0, failures: [] };
      expect(await dryRun(portsWith(5), work, earlier, beatingRun())).toEqual(all);
      expect(estate.asked).toHaveLength(5);
    },
  );

  test('counts every failure and shows a hundred', async () => {
    const planned = BATCH_FAILURES_SHOWN_MAX + 1;
    for (let seq = 0; seq < planned; seq += 1) estate.volumes.set(`v${seq}`, { isGone: true });
    const { failed, failures } = await dryRun(portsWith(planned), work, undefined, beatingRun());
    expect(failed).toBe(planned);
    expect(failures.map(({ seq }) => seq)).toEqual(Array.from({ length: BATCH_FAILURES_SHOWN_MAX }, (_, seq) => seq));
  });

  test('asks nothing more once it is cancelled', async () => {
    const cancelled = AbortSignal.abort(new Error('cancelled'));
    await expect(dryRun(portsWith(3), work, undefined, beatingRun(cancelled))).rejects.toThrow('cancelled');
    expect(estate.asked).toEqual([]);
  });

  test('fails when the site does not answer: no move is called impossible for that', async () => {
    estate.volumes.set('v1', { isUnreachable: true });
    await expect(dryRun(portsWith(3), work, undefined, beatingRun())).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('of no moves', () => {
  // It connects at its first call only, and there is none.
  const client = new WorkflowClient();

  test('the wait is over at once, without a heartbeat', async () => {
    const run = beatingRun<{ waitingFor: number }>();
    expect(await awaitMoves(client, { batch, workflowIds: [] }, run)).toEqual([]);
    expect(run.beats).toEqual([]);
  });

  test('none is asked to cancel', async () => {
    await expect(cancelMoves(client, [])).resolves.toBeUndefined();
  });
});

test('a cancelled wait for moves asks Temporal nothing', async () => {
  const run = beatingRun<{ waitingFor: number }>(AbortSignal.abort(new Error('cancelled')));
  const wait = awaitMoves(new WorkflowClient(), { batch, workflowIds: ['b/0-v0'] }, run);
  await expect(wait).rejects.toThrow('cancelled');
});
