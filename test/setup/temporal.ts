// One Temporal server and one workflow bundle for a whole test group; tests get them by `inject`.
import { DefaultLogger } from '@temporalio/worker';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openTemporal } from '../../estate/temporal/open.js';
import { bundleWorkflows } from '../../workers/workflow-bundle.js';

import type { TestProject } from 'vitest/node';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  const [temporal] = await Promise.all([openTemporal({ log: logServer }), provideBundle(project, folder)]);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalNamespace', temporal.namespace);
  project.provide('temporalUiUrl', temporal.uiUrl);
  return async () => {
    await temporal.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

async function provideBundle(project: TestProject, folder: string): Promise<void> {
  const bundle = join(folder, 'workflow-bundle.js');
  await writeFile(bundle, await bundleWorkflows(new DefaultLogger('WARN')));
  project.provide('workflowBundlePath', bundle);
}

function logServer(line: string): void {
  process.stderr.write(`${line}\n`);
}
