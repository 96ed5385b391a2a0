// What a worker counts of the moves whose reports it stores.
import type { Context } from '@temporalio/activity';
import { expect, test } from 'vitest';
import { WorkerMetrics } from '../../workers/metrics.js';
import { madeStoredMove } from '../support/move-report.js';

const DARK = { isUp: false, stages: new Map(), batches: undefined, schedules: [] };
const CONTEXT = { info: { activityType: 'storeReport' } } as unknown as Context;

test('a move whose report is stored again, since the task of its workflow was repeated, is counted once', async () => {
  const metrics = new WorkerMetrics({ look: async () => DARK });
  const store = async (move: string): Promise<void> => {
    const { execute } = metrics.interceptor(CONTEXT).inbound ?? {};
    await execute?.({ args: [madeStoredMove({ move })], headers: {} }, async () => undefined);
  };
  const first = 'move-a@00000000-0000-4000-8000-000000000000';
  await store(first);
  await store(first);
  await store('move-b@00000000-0000-4000-8000-000000000000');
  expect(await metrics.text()).toMatch(/^volume_mover_moves_total\{outcome="moved"\} 2$/m);
});
