// One Temporal server and one workflow bundle for a whole test group; tests get them by `inject`.
import { DefaultLogger, NativeConnection } from '@temporalio/worker';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';

import { openTemporal, type OpenTemporal } from '../../estate/temporal/open.js';
import { ensureSearchAttributes } from '../../workers/search-attributes.js';
import { bundleWorkflows } from '../../workers/workflow-bundle.js';

import type { TestProject } from 'vitest/node';

/** Longest wait for the search attributes to be known, ms. */
const REGISTERED_MS_MAX = 60_000;

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'volume-mover-test-'));
  const [temporal] = await Promise.all([openTemporal({ log: logServer }), provideBundle(project, folder)]);
  await registerSearchAttributes(temporal);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalNamespace', temporal.namespace);
  project.provide('temporalUiUrl', temporal.uiUrl);
  return async () => {
    await temporal.stop();
    await rm(folder, { recursive: true, force: true });
  };
}

/** An existing server may not have them; a test's worker does not look. */
async function registerSearchAttributes({ address, namespace }: OpenTemporal): Promise<void> {
  const connection = await NativeConnection.connect({ address });
  try {
    const target = { connection: { address }, namespace };
    const log = pino({ level: 'warn' });
    await ensureSearchAttributes({ connection, target, log, signal: AbortSignal.timeout(REGISTERED_MS_MAX) });
  } finally {
    await connection.close();
  }
}

async function provideBundle(project: TestProject, folder: string): Promise<void> {
  const bundle = join(folder, 'workflow-bundle.js');
  await writeFile(bundle, await bundleWorkflows(new DefaultLogger('WARN')));
  project.provide('workflowBundlePath', bundle);
}

function logServer(line: string): void {
  process.stderr.write(`${line}\n`);
}
