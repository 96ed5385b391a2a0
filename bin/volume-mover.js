#!/usr/bin/env node
// The installed command: starts the compiled command line, or says how to compile it.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../dist/client/cli/main.js', import.meta.url);

if (existsSync(fileURLToPath(main))) {
  process.setSourceMapsEnabled(true);
  await import(main.href);
} else {
  process.stderr.write('volume-mover is not built yet: run `npm run build` in its folder, then try again.\n');
  process.exitCode = 1;
}
