// The peer's workflow: what Temporal itself costs when five activities run one after the other, and
// nothing else.
import { proxyActivities } from '@temporalio/workflow';
import type { noopActivities } from './noop-activities.js';

const { noop } = proxyActivities<typeof noopActivities>({ startToCloseTimeout: '1 minute' });

export async function fiveNoopActivities(): Promise<void> {
  await noop();
  await noop();
  await noop();
  await noop();
  await noop();
}
