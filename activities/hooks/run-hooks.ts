// The hooks of a worker: runs what is configured before a fence, and holds applications frozen
// until the fence is up.
import type { Hook, HookCall } from '../../contracts/hooks.js';
import { MoverError } from '../../contracts/errors.js';
import type { Hooks } from '../../control/ports.js';
import { startCommand } from './command-hook.js';
import type { StartedHook } from './started-hook.js';
import { startUrl } from './url-hook.js';

/** Takes a line about a hook that failed and did not stop its move. */
export type HookLog = (details: object, message: string) => void;

interface Started {
  readonly hook: Hook;
  readonly started: StartedHook;
}

export function createHooks(hooks: readonly Hook[], log: HookLog): Hooks {
  return {
    beforeFence: async (about) => {
      const call: HookCall = { event: 'before-fence', ...about };
      const all = hooks
        .filter((hook) => hook.on === call.event && isFor(hook, call))
        .map((hook): Started => ({ hook, started: start(hook, call) }));
      const freezing = all.filter(({ hook }) => hook.freezes);
      const thaw = async (): Promise<boolean[]> => Promise.all(freezing.map(async ({ started }) => started.thaw()));
      const failures = await failuresOf(all);
      for (const { hook, why } of failures) log({ hook: hook.name, move: call.attempt.move, why }, 'a hook failed');
      const veto = failures.find(({ hook }) => hook.onFailure === 'veto');
      if (veto !== undefined) {
        await thaw();
        throw new MoverError('HOOK_VETO', `Hook "${veto.hook.name}" refuses the fence: ${veto.why}.`);
      }
      return {
        thaw: async () => {
          const held = await thaw();
          const lost = freezing.filter((_, i) => held[i] !== true);
          for (const { hook } of lost) log({ hook: hook.name, move: call.attempt.move }, 'a freeze did not last');
          return freezing.length > 0 && lost.length === 0;
        },
      };
    },
  };
}

function isFor({ groups, volumes }: Hook, { from, volumes: moving }: HookCall): boolean {
  return (groups?.includes(from) ?? true) && (volumes === undefined || moving.some((each) => volumes.includes(each)));
}

function start(hook: Hook, call: HookCall): StartedHook {
  const { command, url } = hook;
  if (command !== undefined) return startCommand({ ...hook, command }, call);
  if (url !== undefined) return startUrl({ ...hook, url }, call);
  throw new MoverError('INTERNAL', `Hook "${hook.name}" has neither a command nor a url.`);
}

async function failuresOf(all: readonly Started[]): Promise<{ readonly hook: Hook; readonly why: string }[]> {
  const ends = await Promise.allSettled(all.map(async ({ started }) => started.ready));
  return all.flatMap(({ hook }, i) => {
    const end = ends[i];
    return end?.status === 'rejected'
      ? [{ hook, why: end.reason instanceof Error ? end.reason.message : String(end.reason) }]
      : [];
  });
}
