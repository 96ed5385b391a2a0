// The saga of a move by scripts: which steps it calls and how it ends, whichever of them fails.
import { join } from 'node:path';
import { testScripts } from './script.js';
import { SagaWorld } from './worlds/saga-world.js';

testScripts(join(import.meta.dirname, 'saga'), () => new SagaWorld());
