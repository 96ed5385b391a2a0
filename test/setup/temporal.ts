// One Temporal server for a whole test group; tests get it by `inject`.
import { NativeConnection } from '@temporalio/worker';

import { pino } from 'pino';

import { openTemporal, type OpenTemporal } from '../../estate/temporal/open.js';
import { ensureSearchAttributes } from '../../workers/search-attributes.js';
import { FORGETS_SOON } from '../support/forget-workflow.js';

import type { TestProject } from 'vitest/node';

/** Longest wait for the search attributes to be known, ms. */
const REGISTERED_MS_MAX = 60_000;

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const temporal = await openTemporal({ log: logServer, dynamicConfig: FORGETS_SOON });
  await registerSearchAttributes(temporal);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalNamespace', temporal.namespace);
  project.provide('temporalUiUrl', temporal.uiUrl);
  return temporal.stop;
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

function logServer(line: string): void {
  process.stderr.write(`${line}\n`);
}
