// The verification of a volume by scripts: which regions it compares at which instant and rate, how
// it goes on after a call was refused.
import { join } from 'node:path';
import { perform, testScripts, type World } from './script.js';
import { ScriptedVerify, verifyCommands } from './worlds/verify-world.js';

function verifyWorld(): World {
  const verification = new ScriptedVerify();
  return { run: (command) => perform(verifyCommands, verification, command), state: () => new Map() };
}

testScripts(join(import.meta.dirname, 'verify'), verifyWorld);
