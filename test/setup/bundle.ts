// The workflow bundle of the built product, made once per state of the sources; tests get it by
// `inject`. The group's built workers then find it made.
import { DefaultLogger } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';

import type { TestProject } from 'vitest/node';
import type * as Built from '../../workers/workflow-bundle.js';

const BUILT = fileURLToPath(new URL('../../dist/workers/workflow-bundle.js', import.meta.url));

export default async function setUp(project: TestProject): Promise<void> {
  const { workflowBundle } = (await import(BUILT)) as typeof Built;
  const bundle = await workflowBundle(new DefaultLogger('WARN'));
  if (!('codePath' in bundle)) throw new Error(`The bundle can't be kept beside ${BUILT}.`);
  project.provide('workflowBundlePath', bundle.codePath);
}
