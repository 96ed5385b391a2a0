// The splitter process.
import { runProcess } from '../process/run-process.js';
import { readSplitterLimits } from './limits.js';
import { startSplitter } from './splitter.js';

await runProcess('splitter', async (config, log) =>
  startSplitter({
    ...config,
    log,
    limits: readSplitterLimits(),
    unprotected: process.env['VOLUME_MOVER_UNPROTECTED'] === '1',
  }),
);
