// The steps of a move by scripts: which calls each makes, what it answers, and what it does when a
// call is refused, its answer lost, or the step run again.
import { join } from 'node:path';
import { perform, testScripts, type World } from './script.js';
import { ScriptedSteps, stepsCommands } from './worlds/steps-commands.js';
import { describeEstate } from './worlds/steps-state.js';

function stepsWorld(): World {
  const steps = new ScriptedSteps();
  return {
    run: (command) => perform(stepsCommands, steps, command),
    state: () => describeEstate(steps.estate),
  };
}

testScripts(join(import.meta.dirname, 'steps'), stepsWorld);
