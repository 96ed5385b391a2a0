// The dev server that the Temporal SDK itself once downloaded: used when it is there, never
// fetched.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { z } from 'zod';

const packageSchema = z.object({ version: z.string() });

/**
 * Where `@temporalio/testing` keeps its download: `<temporary
 * folder>/temporal-sdk-typescript-<version>`, by the SDK's core
 * (crates/sdk-core/src/ephemeral_server). The core's version is the SDK's: all its packages carry
 * one number.
 */
export async function sdkDownload(): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve('@temporalio/client/package.json');
  const { version } = packageSchema.parse(JSON.parse(await readFile(manifest, 'utf8')));
  return join(tmpdir(), `temporal-sdk-typescript-${version}`);
}
