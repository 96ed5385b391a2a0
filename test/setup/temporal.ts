// One Temporal server and one workflow bundle for a whole test group; tests get them by `inject`.
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openTemporal } from '../../estate/temporal/open.js';

import type { TestProject } from 'vitest/node';

const WORKFLOWS = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));

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
  if (!existsSync(WORKFLOWS)) return;
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: new DefaultLogger('WARN') });
  const bundle = join(folder, 'workflow-bundle.js');
  await writeFile(bundle, code);
  project.provide('workflowBundlePath', bundle);
}

function logServer(line: string): void {
  process.stderr.write(`${line}\n`);
}
