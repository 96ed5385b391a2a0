// The peer's workflow: only Temporal's own cost of five activities in sequence.
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
