// The dev server that the Temporal SDK has downloaded itself: used when present, never fetched.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { z } from 'zod';

const packageSchema = z.object({ version: z.string() });

/**
 * Path of `@temporalio/testing`'s download: `<temporary folder>/temporal-sdk-typescript-<version>`,
 * as the SDK's core names it (crates/sdk-core/src/ephemeral_server). The core's version is the
 * SDK's, as all its packages share one version.
 */
export async function sdkDownload(): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve('@temporalio/client/package.json');
  const { version } = packageSchema.parse(JSON.parse(await readFile(manifest, 'utf8')));
  return join(tmpdir(), `temporal-sdk-typescript-${version}`);
}
