// The saga's runtime in a Temporal workflow: durable time, and cancellation by scope.
import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow';
import type { SagaRuntime } from '../saga/recorder.js';
import { codeOf, messageOf } from '../shared/step-failure.js';

export const temporalRuntime: SagaRuntime = {
  nowMs: () => Date.now(),
  sleep: async (ms) => sleep(ms),
  until: async (isTrue) => condition(isTrue),
  cancellable: (work) => {
    const scope = new CancellationScope();
    return { done: scope.run(work), cancel: () => scope.cancel() };
  },
  shielded: async (work) => CancellationScope.nonCancellable(work),
  isCancellation,
  codeOf,
  messageOf,
};
