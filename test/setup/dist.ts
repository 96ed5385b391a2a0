// Builds dist/ once before a group whose tests start the product's processes.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const RUN = fileURLToPath(new URL('../../scripts/run.mjs', import.meta.url));

export default async function setUp(): Promise<void> {
  await promisify(execFile)(process.execPath, [RUN, 'build']);
}
