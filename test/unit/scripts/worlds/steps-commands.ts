// The commands of scripts over the steps of a move. Each step is the real one, run over the ports
// of a scripted estate; a repeated command is a retry.
import { awaitTurn } from '../../../../activities/await-turn.js';
import { bookmark } from '../../../../activities/bookmark.js';
import { learn, resolve } from '../../../../activities/compensation.js';
import { flush } from '../../../../activities/flush.js';
import { notify } from '../../../../activities/notify.js';
import { planMove } from '../../../../activities/plan.js';
import { reconfigure } from '../../../../activities/reconfigure.js';
import { snapshot } from '../../../../activities/snapshot.js';
import { attemptName, type AttemptRef, verdictSchema } from '../../../../contracts/attempt.js';
import { MoverError } from '../../../../contracts/errors.js';
import { groupIdSchema, type VolumeId, volumeIdSchema } from '../../../../contracts/ids.js';
import { moveInputSchema, type ParsedMoveInput } from '../../../../contracts/move.js';
import type { AttemptContext, Flushed, Held } from '../../../../contracts/steps.js';
import { Command, type Commands, msOf, numberOf } from '../script.js';
import { brief } from './brief.js';
import { ScriptedEstate } from './scripted-estate.js';
import { refOf } from './words.js';

const BLOCK_BYTES = 4_096;

/** An estate, and what the steps of each attempt answered: later steps are given it. */
export class ScriptedSteps {
  readonly estate = new ScriptedEstate();
  readonly contexts = new Map<string, AttemptContext>();
  readonly flushes = new Map<string, Flushed>();
  readonly held = new Map<string, Held>();
}

type StepCommands = Commands<ScriptedSteps, string[] | Promise<string[]>>;

const volumeOf = (text: string): VolumeId => volumeIdSchema.parse(text);

/** Runs a step: its calls, then its answer or its error. */
async function told(estate: ScriptedEstate, step: () => Promise<unknown>): Promise<string[]> {
  let end: string;
  try {
    end = `= ${brief(await step())}`;
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    const reasons = error.reasons.length === 0 ? '' : ` (${error.reasons.map(({ code }) => code).join(', ')})`;
    end = `${error.code}: ${error.message}${reasons}`;
  }
  return [...estate.takeLines(), end];
}

function inputOf(command: Command, volumes: readonly string[]): ParsedMoveInput {
  const leaseMs = command.ms('lease');
  const lagWaitMs = command.ms('lag-wait');
  const lagBytesMax = command.number('lag-bytes');
  const fenceByMs = command.number('fence-by');
  const attemptDeadlineMs = command.ms('deadline');
  const keepLeft = command.option('keep');
  const from = command.option('from');
  return moveInputSchema.parse({
    ...(volumes.length === 1 ? { volume: volumes[0] } : { volumes }),
    to: command.option('to') ?? 'silver',
    ...(from === undefined ? {} : { from }),
    ...(command.option('queue') === 'yes' ? { queue: true } : {}),
    ...(command.option('batch') === 'yes' ? { batch: { batch: 'b1', seq: 1 } } : {}),
    options: {
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(lagWaitMs === undefined ? {} : { lagWaitMs }),
      ...(lagBytesMax === undefined ? {} : { lagBytesMax }),
      ...(fenceByMs === undefined ? {} : { fenceByMs }),
      ...(attemptDeadlineMs === undefined ? {} : { attemptDeadlineMs }),
      ...(keepLeft === undefined ? {} : { keepLeft }),
    },
  });
}

function contextOf(steps: ScriptedSteps, attempt: AttemptRef): AttemptContext {
  const context = steps.contexts.get(attemptName(attempt));
  if (context === undefined) throw new Error(`${attemptName(attempt)} was not notified`);
  return context;
}

function flushedOf(steps: ScriptedSteps, attempt: AttemptRef): Flushed {
  const flushed = steps.flushes.get(attemptName(attempt));
  if (flushed === undefined) throw new Error(`${attemptName(attempt)} was not flushed`);
  return flushed;
}

// ---- the estate ----

const estateCommands: StepCommands = {
  /** The volumes, each in gold on s1, or as v2@silver or v2@gold/s2 say; `silver=2`: its room. */
  estate({ estate }, command) {
    const room = command.number('silver');
    estate.found(
      command.words.map((word) => {
        const [place = '', splitter = 's1'] = word.split('/');
        const [id = '', group = 'gold'] = place.split('@');
        return { id, group, splitter };
      }),
      new Map(room === undefined ? [] : [['silver', room]]),
    );
    return [];
  },

  /** A guest writes some blocks; they are sent at once if the link is up. */
  write({ estate }, command) {
    const volume = volumeOf(command.word(0));
    const split = estate.hostOfVolume(volume).core.volume(volume);
    for (let block = 0; block < numberOf(command.word(1)); block += 1) {
      split.begin(block * BLOCK_BYTES, BLOCK_BYTES);
      const data = Buffer.alloc(BLOCK_BYTES);
      split.complete({ kind: 'write', offset: block * BLOCK_BYTES, length: BLOCK_BYTES, data }, estate.site.wallMs);
    }
    estate.deliver();
    return [];
  },

  link({ estate }, command) {
    estate.isLinkUp = command.word(0) === 'up';
    estate.deliver();
    return [];
  },

  /** Whether a volume's records are applied to its replica: `distribution v1 stops`. */
  distribution({ estate: { site } }, command) {
    const volume = volumeOf(command.word(0));
    if (command.word(1) === 'stops') site.lineages.applied.set(volume, site.lineages.appliedPosition(volume));
    else site.lineages.applied.delete(volume);
    return [];
  },

  advance({ estate }, command) {
    estate.advance(msOf(command.word(0)));
    return [];
  },

  /** Runs a command of these later, when time has passed: `later 50ms distribution v1 goes`. */
  later(steps, command) {
    const then = new Command(command.words.slice(1).join(' '));
    const run = estateCommands[then.name];
    if (run === undefined) throw new Error(`there is no command "${then.name}"`);
    steps.estate.later(msOf(command.word(0)), () => void run(steps, then));
    return [];
  },

  /** What becomes of the next call: `trouble s1.fence refused CUT_VOID`, or `lost` instead. */
  trouble({ estate }, command) {
    const kind = command.word(1);
    if (kind !== 'refused' && kind !== 'lost') throw new Error(`no call is ${kind}`);
    const times = command.number('times') ?? 1;
    for (let i = 0; i < times; i += 1) estate.trouble(command.word(0), { kind, code: command.word(2) });
    return [];
  },

  /** The worker's estate file does not name a splitter, or the appliance of a group. */
  unname({ estate }, command) {
    estate.unnamed.add(command.word(0));
    return [];
  },

  pause({ estate }, command) {
    estate.pausedGroups.add(groupIdSchema.parse(command.word(0)));
    return [];
  },

  /** The splitter's process ends and begins anew. */
  'restart-splitter'({ estate }, command) {
    const host = [...estate.splitters.values()].find(({ id }) => id === command.word(0));
    if (host === undefined) throw new Error('there is no such splitter');
    for (const split of host.core.volumes) host.storeMarks(split);
    host.begin(host.session + 1);
    estate.deliver();
    return [];
  },

  stall({ estate }, command) {
    const volume = volumeOf(command.word(0));
    const isOver = command.words[1] === 'over';
    estate
      .hostOfVolume(volume)
      .core.volume(volume)
      .stalled(isOver ? undefined : { sinceMs: estate.site.wallMs });
    return [];
  },

  /** A source write fails: marks only. */
  'fail-write'({ estate }, command) {
    const volume = volumeOf(command.word(0));
    const split = estate.hostOfVolume(volume).core.volume(volume);
    split.begin(0, BLOCK_BYTES);
    split.fail(0, BLOCK_BYTES, estate.site.wallMs);
    return [];
  },

  /** The splitter follows an owner's epoch that the replica site does not know. */
  'later-epoch'({ estate }, command) {
    const volume = volumeOf(command.word(0));
    const { core } = estate.hostOfVolume(volume);
    const { route } = core.volume(volume).row;
    core.reroute(volume, { ...route, epoch: route.epoch + 1 });
    return [];
  },

  /** The stream of a volume breaks, and is not up again while the link is cut. */
  detach({ estate }, command) {
    const volume = volumeOf(command.word(0));
    estate.isLinkUp = false;
    estate.hostOfVolume(volume).core.volume(volume).detached();
    return [];
  },

  /** A region of the source can't be read. */
  unreadable({ estate }, command) {
    const volume = volumeOf(command.word(0));
    estate.hostOfVolume(volume).core.volume(volume).passOver(0, 'EIO');
    return [];
  },

  /** Marked regions are sent again. */
  initialize({ estate }, command) {
    const volume = volumeOf(command.word(0));
    const split = estate.hostOfVolume(volume).core.volume(volume);
    split.initialize(estate.site.wallMs);
    for (let next = split.nextResend(); next !== undefined; next = split.nextResend())
      split.resent(next.region, { kind: 'zeroes' }, estate.site.wallMs);
    split.finishInitialization(estate.site.wallMs);
    estate.deliver();
    return [];
  },

  /** The replica site's folder is copied, and an older copy put back. */
  'copy-site'({ estate }) {
    estate.site.copy();
    return [];
  },

  'put-back-site'({ estate }) {
    estate.site.putBack();
    return [];
  },

  /** An appliance finds that a clock is ahead. */
  skew({ estate }, command) {
    estate.skews.push({ process: command.word(0), aheadMs: msOf(command.word(1)) });
    return [];
  },

  /** The splitter's wall clock jumps. */
  'set-clock'({ estate }, command) {
    const host = [...estate.splitters.values()].find(({ id }) => id === command.word(0));
    const jumpMs = msOf(command.word(1));
    if (host === undefined) throw new Error('there is no such splitter');
    host.wallMs += jumpMs;
    host.clockDoubt = { process: `splitter ${host.id}`, jumpMs, sinceMs: host.wallMs, jumps: 1 };
    return [];
  },
};

// ---- the steps ----

const stepCommands: StepCommands = {
  async plan({ estate }, command) {
    const input = inputOf(command, command.words);
    const own = command.option('own');
    return await told(estate, () => planMove(estate.ports, input, own === undefined ? undefined : refOf(own).move));
  },

  async notify(steps, command) {
    const attempt = refOf(command.word(0));
    const input = inputOf(command, command.words.slice(1));
    const { estate } = steps;
    return await told(estate, async () => {
      const context = await notify(estate.ports, input, attempt, estate.run);
      if ('holders' in context) {
        steps.held.set(attempt.move, context);
        return context;
      }
      steps.contexts.set(attemptName(attempt), context);
      return context;
    });
  },

  /** Waits as a move that was told who holds its volumes: `await-turn m3#1 v1 waited=180s`. */
  async 'await-turn'(steps, command) {
    const { move } = refOf(command.word(0));
    const input = inputOf(command, command.words.slice(1));
    const { estate } = steps;
    const held = steps.held.get(move);
    if (held === undefined) throw new Error(`${move} was not told that its volumes are held`);
    return await told(estate, () =>
      awaitTurn(estate.ports, input, held, estate.run.nowMs() - (command.ms('waited') ?? 0), estate.run),
    );
  },

  async flush(steps, command) {
    const attempt = refOf(command.word(0));
    const { estate } = steps;
    return await told(estate, async () => {
      const flushed = await flush(estate.ports, contextOf(steps, attempt), estate.run);
      steps.flushes.set(attemptName(attempt), flushed);
      return flushed;
    });
  },

  async snapshot(steps, command) {
    const attempt = refOf(command.word(0));
    const { ports } = steps.estate;
    return await told(steps.estate, () => snapshot(ports, contextOf(steps, attempt), flushedOf(steps, attempt)));
  },

  async bookmark(steps, command) {
    const attempt = refOf(command.word(0));
    return await told(steps.estate, () => bookmark(steps.estate.ports, contextOf(steps, attempt)));
  },

  async reconfigure(steps, command) {
    const attempt = refOf(command.word(0));
    const { estate } = steps;
    return await told(estate, () =>
      reconfigure(estate.ports, contextOf(steps, attempt), flushedOf(steps, attempt), estate.run),
    );
  },

  async resolve({ estate }, command) {
    const length = command.number('reason-length');
    const reason = length === undefined ? (command.words[1] ?? 'the move failed') : 'x'.repeat(length);
    return await told(estate, async () => {
      const { attempt, state, reason: kept = '' } = await resolve(estate.ports, refOf(command.word(0)), reason);
      return { attempt, state, reason: length === undefined ? kept : `${kept.length} characters` };
    });
  },

  /** Teaches the splitters the verdict of the record that `resolve` answers. */
  async learn({ estate }, command) {
    const record = await resolve(estate.ports, refOf(command.word(0)), 'the move failed');
    estate.takeLines();
    return await told(estate, () => learn(estate.ports, record, verdictSchema.parse(command.word(1))));
  },
};

export const stepsCommands: StepCommands = { ...estateCommands, ...stepCommands };
