// The worlds of scripts, by their folder: the splitter's core, the replica site's attempts,
// the steps of a move, the saga, and verification.
import { perform, type World } from './script.js';
import { SagaWorld } from './worlds/saga-world.js';
import { ScriptedSite } from './worlds/scripted-site.js';
import { ScriptedSplitter } from './worlds/scripted-splitter.js';
import { siteCommands } from './worlds/site-commands.js';
import { describeSite } from './worlds/site-state.js';
import { splitterCommands } from './worlds/splitter-commands.js';
import { describeSplitter } from './worlds/splitter-state.js';
import { ScriptedSteps, stepsCommands } from './worlds/steps-commands.js';
import { describeEstate } from './worlds/steps-state.js';
import { ScriptedVerify, verifyCommands } from './worlds/verify-world.js';

/** SplitterCore and VolumeSplit: what each call answers, and what it changes. */
function splitterWorld(): World {
  const splitter = new ScriptedSplitter();
  return {
    run: (command) => perform(splitterCommands, splitter, command),
    besides: () => splitter.takeStored(),
    state: () => describeSplitter(splitter),
  };
}

/** The life of an attempt at the replica site. */
function siteWorld(): World {
  const site = new ScriptedSite();
  return {
    run: (command) => site.change(() => perform(siteCommands, site, command)),
    state: () => describeSite(site),
  };
}

/** The steps of a move: which calls each makes, refused, lost or repeated. */
function stepsWorld(): World {
  const steps = new ScriptedSteps();
  return { run: (command) => perform(stepsCommands, steps, command), state: () => describeEstate(steps.estate) };
}

/** A verification: which regions it compares at which instant and rate, and how it goes on. */
function verifyWorld(): World {
  const verification = new ScriptedVerify();
  return { run: (command) => perform(verifyCommands, verification, command), state: () => new Map() };
}

export const worlds: Readonly<Record<string, () => World>> = {
  splitter: splitterWorld,
  'replica-site': siteWorld,
  steps: stepsWorld,
  /** Which steps the saga calls and how it ends, whichever of them fails. */
  saga: () => new SagaWorld(),
  verify: verifyWorld,
};
