// SplitterCore and VolumeSplit by scripts: what each call answers, and what it changes.
import { join } from 'node:path';
import { perform, testScripts, type World } from './script.js';
import { ScriptedSplitter } from './worlds/scripted-splitter.js';
import { splitterCommands } from './worlds/splitter-commands.js';
import { describeSplitter } from './worlds/splitter-state.js';

function splitterWorld(): World {
  const splitter = new ScriptedSplitter();
  return {
    run: (command) => perform(splitterCommands, splitter, command),
    besides: () => splitter.takeStored(),
    state: () => describeSplitter(splitter),
  };
}

testScripts(join(import.meta.dirname, 'splitter'), splitterWorld);
