// The commands of scripts over the splitter's cores. Each does what the shell does around one call.
import { type Endpoint, type TicketedAttempt, type Verdict, verdictSchema } from '../../../../contracts/attempt.js';
import {
  applianceIdSchema,
  groupIdSchema,
  moveIdSchema,
  pointIdSchema,
  type VolumeId,
  volumeIdSchema,
} from '../../../../contracts/ids.js';
import type { LifeId, SourceId } from '../../../../contracts/lineage.js';
import type { Copy } from '../../../../simulator/splitter/core/copies.js';
import { doubtOf, type Meeting, remedyFor } from '../../../../simulator/splitter/core/doubt.js';
import { type FreshMarks, REGION_BYTES } from '../../../../simulator/splitter/core/marks.js';
import type { PendingVerdict } from '../../../../simulator/splitter/core/splitter-core.js';
import type { VolumeSplit } from '../../../../simulator/splitter/core/volume-split.js';
import { lifeOf } from '../../../support/identities.js';
import { bytesOf, type Command, type Commands, exact, listOf, listText, msOf, numberOf } from '../script.js';
import { ticketText } from './splitter-state.js';
import { SPLITTER, type ScriptedSplitter } from './scripted-splitter.js';
import { lineageOf, lineageText } from './words.js';

const LEASE_MS = 1_000;
const DEFAULT_REGIONS = 4;

// ---- words ----

const volumeOf = (text: string): VolumeId => volumeIdSchema.parse(text);
const volumesOf = (words: readonly string[]): VolumeId[] => words.map(volumeOf);

/** The attempt a1: ticket 1 of move m1. The attempt m1#2/7: ticket 7 of m1's second attempt. */
function attemptOf(text: string): TicketedAttempt {
  const { move, n, ticket } = /^(?<move>\w+)#(?<n>\d+)\/(?<ticket>\d+)$/.exec(text)?.groups ?? {};
  if (move !== undefined && n !== undefined && ticket !== undefined)
    return { move: moveIdSchema.parse(move), n: numberOf(n), ticket: numberOf(ticket) };
  const number = numberOf(text.replace('a', ''));
  return { move: moveIdSchema.parse(`m${number}`), n: 1, ticket: number };
}

function endpointOf(group: string): Endpoint {
  return {
    group: groupIdSchema.parse(group),
    appliance: applianceIdSchema.parse(`for-${group}`),
    url: `http://${group}.test`,
  };
}

/** The route silver@3: group silver at epoch 3. */
function routeOf(text: string): Endpoint & { readonly epoch: number } {
  const [group = '', epoch = '1'] = text.split('@');
  return { ...endpointOf(group), epoch: numberOf(epoch) };
}

function splitOf(splitter: ScriptedSplitter, command: Command, index = 0): VolumeSplit {
  return splitter.core.volume(volumeOf(command.word(index)));
}

/** Offset and length, as the words 1 and 2. */
function rangeOf(command: Command): { readonly offset: number; readonly length: number } {
  return { offset: bytesOf(command.word(1)), length: bytesOf(command.word(2)) };
}

function copyText(split: VolumeSplit, copy: Copy): string {
  const head = `${split.volume} ${split.session}:${copy.n} ${copy.kind}`;
  switch (copy.kind) {
    case 'write': {
      const data = split.dataOf(copy);
      const content = data.every((byte) => byte === data[0]) ? String.fromCharCode(data[0] ?? 0) : 'mixed';
      return `${head} ${copy.offset}+${copy.length} "${content}" at ${copy.timeMs}`;
    }
    case 'zeroes':
      return `${head} ${copy.offset}+${copy.length} at ${copy.timeMs}`;
    case 'initBegin':
      return `${head} since ${copy.sinceMs} "${copy.reason}" at ${copy.timeMs}`;
    default:
      return `${head} at ${copy.timeMs}`;
  }
}

/** A write's number; one that has none is kept by its mark. */
function numberText(done: ReturnType<VolumeSplit['complete']>): string {
  return done.kind === 'numbered' ? String(done.n) : 'kept by its mark';
}

function freshText(fresh: FreshMarks): string {
  return fresh === 'all' ? fresh : listText(fresh);
}

function pendingText(verb: string, { attempt, volumes, resolvers, to }: PendingVerdict): string {
  return `${verb} ${ticketText(attempt)} of ${volumes.join(' ')} → ${to.group}, resolvers ${resolvers.join(' ')}`;
}

function doubtText(doubt: { readonly jumpMs: number } | undefined): string {
  return doubt === undefined ? '' : `, in doubt by ${doubt.jumpMs} ms`;
}

// ---- a life of the splitter, its clocks and its disk ----

const life: Commands<ScriptedSplitter> = {
  /** A host and its volumes, each in gold unless it says v2@silver. A later one is another host. */
  volumes(splitter, command) {
    splitter.forget();
    const sizeBytes =
      (command.number('regions') ?? DEFAULT_REGIONS) * REGION_BYTES + bytesOf(command.option('rest') ?? '0');
    const isNew = command.option('disk') === 'new';
    const bytes = (key: string): number | undefined => {
      const text = command.option(key);
      return text === undefined ? undefined : bytesOf(text);
    };
    const { limits } = splitter;
    splitter.limits = {
      queueBytes: bytes('queue') ?? limits.queueBytes,
      memoryBytes: bytes('memory') ?? limits.memoryBytes,
      spillBytes: bytes('spill') ?? limits.spillBytes,
    };
    const unusable = command.option('unusable');
    if (unusable !== undefined)
      splitter.unusable.set(volumeOf(unusable), { volume: volumeOf(unusable), reason: `${unusable} has no row` });
    for (const word of command.words) {
      const [name = '', group = 'gold'] = word.split('@');
      const volume = volumeOf(name);
      const row = { volume, sizeBytes, route: routeOf(group), source: splitter.newSource() };
      splitter.rows.set(volume, isNew ? row : { ...row, proven: true });
    }
    splitter.begin(command.number('session') ?? 1);
    return [];
  },

  /** The process ends and begins anew, as another session, with what is stored. */
  restart(splitter, command) {
    splitter.begin(command.number('session') ?? splitter.session + 1);
    return [];
  },

  /** Time passes by both clocks; then holds and leases run out. */
  advance(splitter, command) {
    const ms = msOf(command.word(0));
    splitter.monotonicMs += ms;
    splitter.wallMs += ms;
    splitter.pending = splitter.core.tick(splitter.monotonicMs);
    return splitter.pending.map((pending) => pendingText('asks for', pending));
  },

  /** The wall clock is set; the monotonic one is not. */
  'set-clock'(splitter, command) {
    const jumpMs = msOf(command.word(0));
    splitter.wallMs += jumpMs;
    splitter.clockDoubt = { process: 'splitter s1', jumpMs, sinceMs: splitter.wallMs, jumps: 1 };
    return [];
  },

  disk(splitter, command) {
    const state = command.word(0);
    if (state !== 'fine' && state !== 'full' && state !== 'broken') throw new Error(`a disk is never ${state}`);
    splitter.disk = state;
    return [];
  },

  'spill-disk'(splitter, command) {
    const spill = splitter.spills.get(volumeOf(command.word(0)));
    if (spill !== undefined) spill.isBroken = command.word(1) === 'broken';
    return [];
  },
};

// ---- the guest's writes ----

const guest: Commands<ScriptedSplitter> = {
  write(splitter, command) {
    const split = splitOf(splitter, command);
    const { offset, length } = rangeOf(command);
    const fresh = split.begin(offset, length);
    splitter.storeMarks(split);
    const done = split.complete({ kind: 'write', offset, length, data: splitter.nextContent(length) }, splitter.wallMs);
    return [`${split.volume} ${numberText(done)}, new marks ${listText(fresh)}`];
  },

  zeroes(splitter, command) {
    const split = splitOf(splitter, command);
    const range = rangeOf(command);
    const fresh = split.begin(range.offset, range.length);
    splitter.storeMarks(split);
    const done = split.complete({ kind: 'zeroes', ...range }, splitter.wallMs);
    return [`${split.volume} ${numberText(done)}, new marks ${listText(fresh)}`];
  },

  /** The first half of a write: `complete`, `fail` or `withdraw` is the other. */
  begin(splitter, command) {
    const split = splitOf(splitter, command);
    const { offset, length } = rangeOf(command);
    const fresh = split.begin(offset, length);
    splitter.storeMarks(split);
    return [`${split.volume} new marks ${listText(fresh)}`];
  },

  complete(splitter, command) {
    const split = splitOf(splitter, command);
    const range = rangeOf(command);
    const done = split.complete({ kind: 'write', ...range, data: splitter.nextContent(range.length) }, splitter.wallMs);
    return [`${split.volume} ${numberText(done)}`];
  },

  /** A write that the source fails, as a whole. */
  'failed-write'(splitter, command) {
    const split = splitOf(splitter, command);
    const { offset, length } = rangeOf(command);
    const fresh = split.begin(offset, length);
    splitter.storeMarks(split);
    split.fail(offset, length, splitter.wallMs);
    return [`${split.volume} failed, new marks ${listText(fresh)}`];
  },

  fail(splitter, command) {
    const { offset, length } = rangeOf(command);
    splitOf(splitter, command).fail(offset, length, splitter.wallMs);
    return [];
  },

  withdraw(splitter, command) {
    const { offset, length } = rangeOf(command);
    splitOf(splitter, command).withdraw(offset, length);
    return [];
  },
};

// ---- the stream ----

const stream: Commands<ScriptedSplitter> = {
  claim(splitter, command) {
    const split = splitOf(splitter, command);
    const { session, epoch, group, source, replaces, confirmed, ticket, decided } = exact(split.claim());
    return [
      [
        `${split.volume} session ${session}, ${group}@${epoch}, disk ${source.at(-1) ?? ''}`,
        ...(replaces ? ['replaces'] : []),
        `ticket ${ticket}`,
        ...(confirmed === undefined ? [] : [`confirmed ${lineageText(confirmed.lineage)}:${confirmed.position}`]),
        ...(decided === undefined ? [] : [`decided ${ticketText(decided.attempt)} ${decided.verdict}`]),
      ].join(', '),
    ];
  },

  /** The replica site accepts the volume. */
  attach(splitter, command) {
    const split = splitOf(splitter, command);
    const former = command.number('former');
    const touched = command.option('touched');
    const meeting: Meeting & { readonly n: number } = {
      n: command.number('n') ?? 0,
      lineage: lineageOf(command.option('lineage') ?? 'L1'),
      base: command.number('base') ?? 0,
      former: former === undefined ? undefined : lifeOf(former),
      touched:
        touched === 'unknown'
          ? undefined
          : touched === undefined
            ? []
            : touched.split(',').map((run): [number, number] => {
                const regions = listOf(run);
                return [regions[0] ?? 0, regions.length];
              }),
      ...(command.words.includes('initializing') ? { initializing: true } : {}),
    };
    const known = splitter.lives.map(lifeOf);
    const reason = doubtOf(split, meeting, (each) => known.includes(each));
    if (reason !== undefined) {
      split.doubt(reason, splitter.wallMs);
      splitter.storeMarks(split);
    }
    split.attached(meeting);
    if (meeting.initializing === true) split.initializeAgain(splitter.wallMs);
    if (split.isProofUnstored) splitter.core.changeRows([split.volume], (each) => each.sourceKnown());
    if (split.sourceState === 'unproven') split.sourceState = 'present';
    return reason === undefined ? [] : [`compared: ${reason}`];
  },

  /** The replica site refuses the volume, with advice. */
  refuse(splitter, command) {
    const split = splitOf(splitter, command);
    const owner = command.option('owner');
    const sessionMin = command.number('session-min');
    const [lineage, position] = command.option('lineage')?.split(':') ?? [];
    const advised = owner === undefined ? undefined : routeOf(owner);
    const remedy = remedyFor(split, {
      ...(sessionMin === undefined ? {} : { sessionMin }),
      ...(advised === undefined ? {} : { owner: advised }),
      ...(lineage === undefined || position === undefined
        ? {}
        : { lineage: { lineage: lineageOf(lineage), position: numberOf(position) } }),
    });
    if (remedy === undefined) return ['it waits'];
    if (remedy.kind === 'reroute') {
      splitter.core.reroute(split.volume, routeOf(`${remedy.owner.group}@${remedy.owner.epoch}`));
      return ['follows the owner'];
    }
    const session = Math.max(splitter.session + 1, remedy.sessionMin);
    splitter.session = session;
    if (remedy.kind === 'renumber') {
      split.renumber(session);
      return [`session renumbered ${session}`];
    }
    const fresh = split.startOver(session, remedy.lineage, 'the lineage was forked', splitter.wallMs);
    splitter.storeMarks(split);
    return [`remedy ${remedy.kind} as session ${session}, new marks ${freshText(fresh)}`];
  },

  detach(splitter, command) {
    splitOf(splitter, command).detached();
    return [];
  },

  /** Sends all that may be sent, or as many copies as the second word says. */
  send(splitter, command) {
    const split = splitOf(splitter, command);
    const most = command.words[1] === undefined ? Number.POSITIVE_INFINITY : numberOf(command.word(1));
    const frames: string[] = [];
    for (let copy = split.peek(); copy !== undefined && frames.length < most; copy = split.peek()) {
      frames.push(`sends ${copyText(split, copy)}`);
      split.advance();
    }
    return frames.length === 0 ? [`${split.volume} sends nothing`] : frames;
  },

  receipt(splitter, command) {
    splitOf(splitter, command).receipt(numberOf(command.word(1)));
    return [];
  },

  pause(splitter, command) {
    splitOf(splitter, command).pause(splitter.wallMs);
    return [];
  },

  resume(splitter, command) {
    splitOf(splitter, command).resume();
    return [];
  },

  'lose-queue'(splitter, command) {
    splitOf(splitter, command).loseQueue('its copies could not be read back', splitter.wallMs);
    return [];
  },

  /** A session is stored after all: numbering begins. */
  'start-session'(splitter, command) {
    const session = numberOf(command.word(1));
    splitter.session = Math.max(splitter.session, session);
    splitOf(splitter, command).startSession(session);
    return [];
  },

  stall(splitter, command) {
    const unappliedBytes = command.number('bytes');
    splitOf(splitter, command).stalled(
      command.words[1] === 'over'
        ? undefined
        : { sinceMs: splitter.wallMs, ...(unappliedBytes === undefined ? {} : { unappliedBytes }) },
    );
    return [];
  },
};

// ---- marks, and the short initialization ----

const marks: Commands<ScriptedSplitter> = {
  /** Clears the bits of settled regions: the confirmed position is stored first. */
  clear(splitter, command) {
    const split = splitOf(splitter, command);
    if (split.confirmed !== undefined) splitter.confirmed.set(split.volume, split.confirmed);
    const cleared = split.marks.clearSettled();
    splitter.storeMarks(split);
    return [`${split.volume} clears ${listText(cleared)}`];
  },

  /** A sync of the source: `begin`, then `end`, between which writes may come. */
  sync(splitter, command) {
    const split = splitOf(splitter, command);
    if (command.word(1) === 'begin') return [`${split.volume} is to clear ${split.marks.beginClearing()}`];
    const cleared = split.marks.finishClearing();
    splitter.storeMarks(split);
    return [`${split.volume} clears ${listText(cleared)}`];
  },

  initialize(splitter, command) {
    const split = splitOf(splitter, command);
    const isUnderWay = split.initialize(splitter.wallMs);
    const mark = split.initializationMark;
    const since = mark === undefined ? '' : ` from ${mark.session}:${mark.n}`;
    return [`${split.volume} ${isUnderWay ? 'initializes' : 'does not initialize'}${since}`];
  },

  /** Sends dirty regions again while there is room, or as many as the second word says. */
  resend(splitter, command) {
    const split = splitOf(splitter, command);
    const most = command.words[1] === undefined ? Number.POSITIVE_INFINITY : numberOf(command.word(1));
    const isZero = command.option('as') === 'zeroes';
    const done: string[] = [];
    for (let next = split.nextResend(); next !== undefined && done.length < most; next = split.nextResend()) {
      const { region, length } = next;
      const copy = isZero ? { kind: 'zeroes' as const } : { kind: 'write' as const, data: Buffer.alloc(length, 'R') };
      if (!split.resent(region, copy, splitter.wallMs)) return [...done, `no room for region ${region} after all`];
      done.push(`queues region ${region} again, ${length} B, as ${split.lastN}`);
    }
    if (done.length > 0) return done;
    return [`${split.volume} resends nothing${split.hasRoomForResend ? '' : ': no room'}`];
  },

  finish(splitter, command) {
    const split = splitOf(splitter, command);
    const isDone = split.finishInitialization(splitter.wallMs);
    return [
      `${split.volume} ${isDone ? 'is initialized' : 'is not initialized now'}, ${split.isSynced ? '' : 'not '}synced`,
    ];
  },

  /** Queues a region that was read, whether or not there is room. */
  'queue-region'(splitter, command) {
    const data = Buffer.alloc(REGION_BYTES, 'R');
    const split = splitOf(splitter, command);
    const isQueued = split.resent(numberOf(command.word(1)), { kind: 'write', data }, splitter.wallMs);
    return [isQueued ? 'queued' : 'no room after all'];
  },

  /** The source can't read a region. */
  unreadable(splitter, command) {
    const split = splitOf(splitter, command);
    const why = command.option('why') ?? 'EIO';
    for (const region of listOf(command.word(1))) split.passOver(region, why);
    return [];
  },

  'retry-unreadable'(splitter, command) {
    splitOf(splitter, command).marks.retryUnreadable(numberOf(command.word(1)));
    return [];
  },

  doubt(splitter, command) {
    const split = splitOf(splitter, command);
    const length = command.number('reason-length');
    const reason = length === undefined ? command.word(1) : command.word(1).repeat(length);
    const fresh = split.doubt(reason, splitter.wallMs);
    splitter.storeMarks(split);
    return [`${split.volume} new marks ${freshText(fresh)}`];
  },

  /** Takes the results of a comparison: `same=` and `different=` regions. */
  compare(splitter, command) {
    const split = splitOf(splitter, command);
    for (const region of listOf(command.option('same') ?? '')) split.marks.compared(region, true);
    for (const region of listOf(command.option('different') ?? '')) split.marks.compared(region, false);
    const next = split.marks.nextDoubted(0);
    return [`${split.volume} is to compare ${next ?? 'nothing'} next`];
  },

  /** Stores whether a comparison is under way, for the next life. */
  'keep-comparison'(splitter, command) {
    const split = splitOf(splitter, command);
    splitter.core.changeRows([split.volume], (each) => each.keepComparison());
    return [];
  },

  /** Every doubted region is sent, uncompared: the replica can't be read. */
  'send-doubted'(splitter, command) {
    const split = splitOf(splitter, command);
    split.marks.giveUpComparing();
    return [];
  },

  'send-again'(splitter, command) {
    const split = splitOf(splitter, command);
    const fresh = split.sendAgain(listOf(command.word(1)), command.word(2), splitter.wallMs);
    splitter.storeMarks(split);
    return [`${split.volume} new marks ${listText(fresh)}`];
  },
};

// ---- the disk's identity, and what people read ----

const rows: Commands<ScriptedSplitter> = {
  /** What is known of the guest's disk. */
  source(splitter, command) {
    const split = splitOf(splitter, command);
    const change = (how: (each: VolumeSplit) => void): void => splitter.core.changeRows([split.volume], how);
    const word = command.word(1);
    switch (word) {
      case 'replaced':
        splitter.core.replaceSource(split.volume, splitter.newSource());
        break;
      case 'known':
        change((each) => each.sourceKnown());
        break;
      case 'vouched':
        change((each) => each.vouchForSource());
        break;
      case 'missing':
      case 'foreign':
        change((each) => each.refuseSource(word));
        break;
      case 'back':
        change((each) => each.sourceBack());
        break;
      case 'present':
        split.sourceState = word;
        split.recovery = undefined;
        break;
      case 'recovering':
        split.sourceState = word;
        split.recovery = { point: pointIdSchema.parse('p000000007'), doneBytes: 5, totalBytes: 9 };
        break;
      default:
        throw new Error(`a source is never ${word}`);
    }
    return [];
  },

  note(splitter, command) {
    splitOf(splitter, command).note(command.word(1), command.words[2]);
    return [];
  },

  inventory(splitter, command) {
    const [word] = command.words;
    const { volumes, unusable } = exact(splitter.core.inventory(word === undefined ? {} : { volume: volumeOf(word) }));
    const left = unusable?.map(({ volume, reason }) => `${volume} (${reason})`);
    return [
      `${volumes.map(({ volume }) => volume).join(' ')}${left === undefined ? '' : `, left out ${left.join(' ')}`}`,
    ];
  },

  reroute(splitter, command) {
    splitter.core.reroute(volumeOf(command.word(0)), routeOf(command.word(1)));
    return [];
  },

  /** Several rows change at once; then something unforeseen happens. */
  'change-and-throw'(splitter, command) {
    const source: SourceId = splitter.newSource();
    try {
      splitter.core.changeRows(volumesOf(command.words), (split) => {
        split.refuseSource('missing');
        split.replaceSource(source);
        if (split.volume === command.words.at(-1)) throw new RangeError('a bug');
      });
    } catch (error) {
      return [`threw ${String(error)}`];
    }
    return [];
  },
};

// ---- the control calls of a move ----

const control: Commands<ScriptedSplitter> = {
  notify(splitter, command) {
    const [attempt = '', ...words] = command.words;
    const epoch = command.number('epoch') ?? 1;
    const { volumes } = splitter.core.notify({
      attempt: attemptOf(attempt),
      volumes: volumesOf(words).map((volume) => ({ volume, splitter: SPLITTER, epoch })),
      from: endpointOf(command.option('from') ?? 'gold'),
      to: endpointOf(command.option('to') ?? 'silver'),
      resolvers: ['http://gold.test', 'http://silver.test'],
    });
    return [`notified ${volumes.map(({ volume }) => volume).join(' ')}`];
  },

  fence(splitter, command) {
    const [attempt = '', ...words] = command.words;
    const leaseMs = command.ms('lease') ?? LEASE_MS;
    const holdMs = command.ms('hold') ?? 0;
    const { cuts, others, atMs, doubt } = exact(
      splitter.core.fence({ attempt: attemptOf(attempt), volumes: volumesOf(words), leaseMs, holdMs }, splitter.now),
    );
    const list = (each: typeof cuts): string =>
      each.map(({ volume, session, n }) => `${volume} ${session}:${n}`).join(', ');
    return [`cut ${list(cuts)} at ${atMs}${others.length === 0 ? '' : `, others ${list(others)}`}${doubtText(doubt)}`];
  },

  confirm(splitter, command) {
    const { held } = splitter.core.confirm(
      { attempt: attemptOf(command.word(0)), ...lifeIn(command) },
      splitter.monotonicMs,
    );
    return [held ? 'held' : 'not held'];
  },

  renew(splitter, command) {
    const leaseMs = command.ms('lease') ?? LEASE_MS;
    const granted = splitter.core.renew({ attempt: attemptOf(command.word(0)), leaseMs }, splitter.monotonicMs);
    return [`renewed for ${granted.leaseMs} ms`];
  },

  /** The renewal of one volume's fence, by itself. */
  'renew-volume'(splitter, command) {
    const [attempt = '', volume = ''] = command.words;
    const leaseMs = command.ms('lease') ?? LEASE_MS;
    const split = splitter.core.volume(volumeOf(volume));
    const granted = split.renew(attemptOf(attempt), leaseMs, splitter.monotonicMs);
    return [`renewed for ${granted} ms`];
  },

  learn(splitter, command) {
    const [attempt = '', verdict = '', ...words] = command.words;
    const epoch = command.number('epoch') ?? 1;
    const { volumes, learned } = splitter.core.learn(
      {
        attempt: attemptOf(attempt),
        verdict: verdictOf(verdict),
        volumes: volumesOf(words).map((volume) => ({ volume, splitter: SPLITTER, epoch })),
        to: endpointOf(command.option('to') ?? 'silver'),
      },
      splitter.wallMs,
    );
    return [
      `told ${volumes.map(({ volume }) => volume).join(' ')}`,
      ...learned.map(
        (each) => `${each.volume} learned ${each.verdict} at ${each.atMs}, backlog ${each.backlogBytes} B`,
      ),
    ];
  },

  /** Moves announced here that have no fence. */
  announced(splitter) {
    splitter.pending = splitter.core.announced();
    return splitter.pending.length === 0
      ? ['nothing is announced']
      : splitter.pending.map((pending) => pendingText('announced is', pending));
  },

  /** A resolver answers what `advance` or `announced` asked for last. */
  answer(splitter, command) {
    const attempt = attemptOf(command.word(0));
    const pending = splitter.pending.find((each) => each.attempt.ticket === attempt.ticket);
    if (pending === undefined) throw new Error('nobody asked');
    splitter.core.learnPending(pending, verdictOf(command.word(1)), splitter.wallMs);
    return [];
  },

  cut(splitter, command) {
    const input = {
      group: groupIdSchema.parse(command.word(0)),
      round: command.word(1),
      holdMs: command.ms('hold') ?? 0,
    };
    const { cuts, leftOut, atMs, doubt } = exact(splitter.core.cut(input, splitter.now));
    const members = cuts.map(
      ({ volume, session, n, fencedBy }) =>
        `${volume} ${session}:${n}${fencedBy === undefined ? '' : ` fenced by ${fencedBy.move}#${fencedBy.n}`}`,
    );
    const left = leftOut.map(({ volume, reason }) => `${volume} ${reason}`);
    return [
      `cut ${members.join(', ')} at ${atMs}${left.length === 0 ? '' : `, without ${left.join(', ')}`}${doubtText(doubt)}`,
    ];
  },

  'confirm-cut'(splitter, command) {
    const { held } = splitter.core.confirmCut({ round: command.word(0), ...lifeIn(command) }, splitter.monotonicMs);
    return [held ? 'held' : 'not held'];
  },
};

/** The life that answered the cut, when the script says so. */
function lifeIn(command: Command): { readonly life?: LifeId } {
  const life = command.number('life');
  return life === undefined ? {} : { life: lifeOf(life) };
}

function verdictOf(text: string): Verdict {
  return verdictSchema.parse(text);
}

export const splitterCommands: Commands<ScriptedSplitter> = {
  ...life,
  ...guest,
  ...stream,
  ...marks,
  ...rows,
  ...control,
};
