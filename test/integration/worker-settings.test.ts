// The settings by which a worker shares its host and its Temporal server reach the SDK.
import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { createWorker } from '../../workers/create-worker.js';
import { connect } from './support/moves.js';

test('the settings of a worker reach the SDK', async () => {
  const connection = await connect();
  const settings = {
    taskQueue: `settings-${randomUUID()}`,
    activitySlots: 7,
    localActivitySlots: 6,
    cachedWorkflows: 5,
    workflowPollers: 3,
    activityPollers: 2,
    activitiesPerSecond: 1.5,
    queueActivitiesPerSecond: 2.5,
  };
  const worker = await createWorker({
    connection,
    namespace: inject('temporalNamespace'),
    workflowBundle: { codePath: inject('workflowBundlePath') },
    ports: { appliances: new Map(), splitters: new Map() },
    settings,
  });
  const fixed = (slots: number) => ({ type: 'fixed-size', numSlots: slots });
  expect(worker.options).toMatchObject({
    taskQueue: settings.taskQueue,
    tuner: {
      // No more than there are cached workflows.
      workflowTaskSlotSupplier: fixed(5),
      activityTaskSlotSupplier: fixed(7),
      localActivityTaskSlotSupplier: fixed(6),
    },
    maxCachedWorkflows: 5,
    workflowTaskPollerBehavior: { maximum: 3 },
    activityTaskPollerBehavior: { maximum: 2 },
    maxActivitiesPerSecond: 1.5,
    maxTaskQueueActivitiesPerSecond: 2.5,
  });
  await worker.runUntil(Promise.resolve());
  await connection.close();
});
