// Cores, steps and saga by text scripts: each file shows one behaviour.
import { join } from 'node:path';
import { describe } from 'vitest';
import { testScripts } from './script.js';
import { worlds } from './worlds.js';

describe.each(Object.entries(worlds))('%s', (folder, makeWorld) => {
  testScripts(join(import.meta.dirname, folder), makeWorld);
});
