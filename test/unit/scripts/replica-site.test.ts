// The life of an attempt at the replica site by scripts: each call's answers, and what it changes.
import { join } from 'node:path';
import { perform, testScripts, type World } from './script.js';
import { ScriptedSite } from './worlds/scripted-site.js';
import { siteCommands } from './worlds/site-commands.js';
import { describeSite } from './worlds/site-state.js';

function siteWorld(): World {
  const site = new ScriptedSite();
  return {
    run: (command) => site.change(() => perform(siteCommands, site, command)),
    state: () => describeSite(site),
  };
}

testScripts(join(import.meta.dirname, 'replica-site'), siteWorld);
