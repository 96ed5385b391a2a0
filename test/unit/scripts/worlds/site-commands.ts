// The commands of scripts over the replica site's attempts. Each is one call of a rule.
import { attemptName, type AttemptRecord, type AttemptRef, verdictSchema } from '../../../../contracts/attempt.js';
import { groupIdSchema, splitterIdSchema, type VolumeId, volumeIdSchema } from '../../../../contracts/ids.js';
import { leftOutReasonSchema, pointKindSchema } from '../../../../contracts/point.js';
import type { KeepRequest } from '../../../../contracts/retention.js';
import { attach, type Claim, forkLineage, hear } from '../../../../simulator/replica-site/core/attach.js';
import * as attempts from '../../../../simulator/replica-site/core/attempts.js';
import * as lifecycle from '../../../../simulator/replica-site/core/lifecycle.js';
import type { NewPoint } from '../../../../simulator/replica-site/core/points.js';
import { admit, beginHole, endHole } from '../../../../simulator/replica-site/core/records.js';
import { pointIdOf } from '../../../../simulator/replica-site/core/rows.js';
import { TABLE_NAMES } from '../../../../simulator/replica-site/core/state.js';
import { claimOf, LINEAGE } from '../../../support/identities.js';
import { type Command, type Commands, listOf, listText, msOf, numberOf } from '../script.js';
import { pointName } from './site-state.js';
import type { ScriptedSite } from './scripted-site.js';
import { markOf, refOf } from './words.js';

const SPLITTER = splitterIdSchema.parse('s1');
const LEASE_MS = 1_000;
const DEADLINE_MS = 10_000;

// ---- words ----

const volumeOf = (text: string): VolumeId => volumeIdSchema.parse(text);

/** The cut v1@2:17: v1 at write 17 of session 2; v1@2:17/m1#1 is fenced by that attempt. */
function cutOf(text: string): NewPoint['cuts'][number] {
  const [place = '', fencedBy] = text.split('/');
  const [volume = '', mark = ''] = place.split('@');
  const cut = { volume: volumeOf(volume), ...markOf(mark) };
  return fencedBy === undefined ? cut : { ...cut, fencedBy: refOf(fencedBy) };
}

function cutsOf(text: string | undefined): NewPoint['cuts'][number][] {
  return text === undefined || text === '' ? [] : text.split(',').map(cutOf);
}

function keepOf(text: string | undefined): KeepRequest | undefined {
  if (text === undefined) return undefined;
  return text === 'policy' || text === 'forever' ? text : { forMs: msOf(text) };
}

function attemptOf(command: Command): AttemptRef {
  return refOf(command.word(0));
}

/** The record's state. Without it, a repeated call, which changes nothing, would print nothing. */
function answered(record: AttemptRecord): string[] {
  return [`${attemptName(record.attempt)} is ${record.state}`];
}

// ---- the site's life, its disk and its clock ----

const life: Commands<ScriptedSite> = {
  /** The volumes, each in gold unless it says v2@silver; `silver=2` says how much room that has. */
  volumes(site, command) {
    const rooms = ['gold', 'silver', 'bronze'].flatMap((group): [string, number][] => {
      const room = command.number(group);
      return room === undefined ? [] : [[group, room]];
    });
    const volumes = command.words.map((word) => {
      const [id = '', group = 'gold'] = word.split('@');
      return { id, group };
    });
    site.found(volumes, new Map(rooms));
    return [];
  },

  advance(site, command) {
    const ms = msOf(command.word(0));
    site.monotonicMs += ms;
    site.wallMs += ms;
    return [];
  },

  /**
   * Another life. `unreadable=attempts/m1#1` is a row that can't be read, `old=m1#1` a record of an
   * earlier version.
   */
  restart(site, command) {
    const old = command.option('old');
    if (old !== undefined) site.makeOld(old);
    const [name, key] = command.option('unreadable')?.split('/') ?? [];
    const table = TABLE_NAMES.find((each) => each === name);
    site.begin(table === undefined || key === undefined ? undefined : { table, key });
    return site.core.unreadable;
  },

  /** A person retires a volume. */
  retire(site, command) {
    const volume = volumeOf(command.word(0));
    const { changed } = lifecycle.retireVolume(site.core, { volume, dryRun: false }, site.now);
    return [changed ? 'retired' : 'retired before'];
  },

  'retire-group'(site, command) {
    const group = groupIdSchema.parse(command.word(0));
    const { changed } = lifecycle.retireGroup(site.core, { group, dryRun: false }, site.now);
    return [changed ? 'retired' : 'retired before'];
  },

  'copy-folder'(site) {
    site.copy();
    return [];
  },

  'put-back'(site) {
    site.putBack();
    return [];
  },

  disk(site, command) {
    site.isDiskFull = command.word(0) === 'full';
    return [];
  },
};

// ---- the splitter's stream ----

const stream: Commands<ScriptedSite> = {
  attach(site, command) {
    const volume = volumeOf(command.word(0));
    const row = site.core.volume(volume);
    const [decided, verdict] = command.option('decided')?.split(':') ?? [];
    const ticket = command.number('ticket') ?? 0;
    const group = groupIdSchema.parse(command.option('group') ?? row.group);
    const claim: Claim = claimOf(
      {
        session: command.number('session') ?? 1,
        epoch: command.number('epoch') ?? row.epoch,
        sizeBytes: row.sizeBytes,
        ticket,
        confirmed: { lineage: LINEAGE, position: command.number('confirmed') ?? 0 },
        ...(decided === undefined
          ? {}
          : { decided: { attempt: { ...refOf(decided), ticket }, verdict: verdictSchema.parse(verdict) } }),
      },
      group,
    );
    const heard = hear(site.core, volume, claim, site.now);
    switch (heard.kind) {
      case 'refuse':
        return [`refused ${heard.code}: ${heard.message}`];
      case 'fork':
        site.lineages.fork(volume);
        return [`forked: ${forkLineage(site.core, volume, heard.reason, site.now).message}`];
      default:
        return [`attached after ${attach(site.core, volume, claim).n}`];
    }
  },

  /** Records come in; each that is accepted is durable at once. */
  records(site, command) {
    const volume = volumeOf(command.word(0));
    const { epoch } = site.core.volume(volume);
    const session = command.number('session') ?? 1;
    const head = { session, epoch: command.number('epoch') ?? epoch };
    const answers = new Map<string, number[]>();
    for (const n of listOf(command.word(1))) {
      const answer = admit(site.core, volume, { ...head, n });
      const text = answer.kind === 'refuse' ? `${answer.code}: ${answer.message}` : answer.kind;
      answers.set(text, [...(answers.get(text) ?? []), n]);
      if (answer.kind === 'append')
        site.lineages.records.set(volume, [...(site.lineages.records.get(volume) ?? []), { session, n }]);
    }
    return [...answers].map(([text, numbers]) => `${listText(numbers)} ${text}`);
  },

  /** A record that is accepted and not durable yet. */
  accept(site, command) {
    const { session, n } = markOf(command.word(1));
    site.core.accept(volumeOf(command.word(0)), session, n);
    return [];
  },

  /** A row that says that the volume is not sealed, as nothing but a fault could make it. */
  unseal(site, command) {
    const row = site.core.volume(volumeOf(command.word(0)));
    site.core.volumes.put(row.volume, { ...row, sealed: false });
    return [];
  },

  /** The replica volume is applied up to a position; without one, up to its end. */
  applied(site, command) {
    const volume = volumeOf(command.word(0));
    const [, position] = command.words;
    if (position === undefined) site.lineages.applied.delete(volume);
    else site.lineages.applied.set(volume, numberOf(position));
    return [];
  },

  hole(site, command) {
    const volume = volumeOf(command.word(0));
    const position = numberOf(command.word(2));
    if (command.word(1) === 'ends') endHole(site.core, volume, position, site.wallMs);
    else beginHole(site.core, volume, { fromPosition: position, sinceMs: site.wallMs, reason: 'backlog full' });
    return [];
  },
};

// ---- the calls of an attempt ----

const calls: Commands<ScriptedSite> = {
  open(site, command) {
    const [attempt = '', ...volumes] = command.words;
    const epoch = command.number('epoch') ?? 1;
    const record = attempts.openAttempt(
      site.core,
      {
        attempt: refOf(attempt),
        volumes: volumes.map((volume) => ({ volume: volumeOf(volume), splitter: SPLITTER, epoch })),
        from: groupIdSchema.parse(command.option('from') ?? 'gold'),
        to: groupIdSchema.parse(command.option('to') ?? 'silver'),
        leaseMs: command.ms('lease') ?? LEASE_MS,
        deadlineAfterMs: command.ms('deadline') ?? DEADLINE_MS,
      },
      site.now,
    );
    return answered(record);
  },

  get(site, command) {
    return answered(attempts.getAttempt(site.core, attemptOf(command)));
  },

  renew(site, command) {
    return answered(
      attempts.renewAttempt(site.core, attemptOf(command), command.ms('lease') ?? LEASE_MS, site.monotonicMs),
    );
  },

  /** The renewal that comes with another call. */
  'renew-if-open'(site, command) {
    attempts.renewIfOpen(site.core, attemptOf(command), command.ms('lease'), site.monotonicMs);
    return [];
  },

  drain(site, command) {
    const [attempt = '', ...cuts] = command.words;
    const { drained, bytesLeft, recordsMissing } = attempts.drainProgress(site.core, refOf(attempt), cuts.map(cutOf));
    return [`${drained ? 'drained' : 'not drained'}, ${bytesLeft} B left, ${recordsMissing} records missing`];
  },

  seal(site, command) {
    const [attempt = '', ...cuts] = command.words;
    const others = cutsOf(command.option('others'));
    const atMs = site.wallMs - (command.ms('ago') ?? 0);
    const jumpMs = command.number('clock-jump');
    const doubt = jumpMs === undefined ? undefined : { process: 'splitter s1', jumpMs, sinceMs: 0, jumps: 1 };
    return answered(
      attempts.sealAttempt(site.core, refOf(attempt), cuts.map(cutOf), others, atMs, { now: site.now, doubt }),
    );
  },

  bookmark(site, command) {
    const name = command.option('name');
    return answered(
      attempts.bookmarkAttempt(site.core, attemptOf(command), { name, keep: keepOf(command.option('keep')) }),
    );
  },

  adopt(site, command) {
    return answered(attempts.adoptAttempt(site.core, attemptOf(command), site.now));
  },

  resolve(site, command) {
    return answered(
      attempts.resolveAttempt(site.core, attemptOf(command), command.words[1] ?? 'the move failed', site.wallMs),
    );
  },

  /** What a splitter asks when its fence lapsed. */
  'resolve-expired'(site, command) {
    const ticket = command.number('ticket');
    const input = { attempt: attemptOf(command), reason: 'a splitter asked', onlyIfExpired: true };
    return answered(attempts.answerVerdict(site.core, ticket === undefined ? input : { ...input, ticket }, site.now));
  },

  /** What a splitter's word of a commit does, as at an attachment. */
  recommit(site, command) {
    attempts.recommitAttempt(site.core, attemptOf(command), 'a splitter learned it', site.now);
    return [];
  },

  join(site, command) {
    return answered(attempts.joinAttempt(site.core, attemptOf(command), pointIdOf(numberOf(command.word(1).slice(1)))));
  },
};

// ---- points, and what others ask ----

const points: Commands<ScriptedSite> = {
  /** Closes a point of a group from cuts; `out=v2:behind` names members that are left out. */
  point(site, command) {
    const [group = '', ...cuts] = command.words;
    const out = command.option('out')?.split(',') ?? [];
    const bookmark = command.option('bookmark');
    const point = attempts.closeGroupPoint(
      site.core,
      {
        group: groupIdSchema.parse(group),
        kind: pointKindSchema.parse(command.option('kind') ?? 'periodic'),
        atMs: site.wallMs,
        cuts: cuts.map(cutOf),
        leftOut: out.map((word) => {
          const [volume = '', reason = ''] = word.split(':');
          return { volume: volumeOf(volume), reason: leftOutReasonSchema.parse(reason) };
        }),
        ...(bookmark === undefined ? {} : { bookmark, keep: keepOf(command.option('keep')) }),
      },
      site.now,
    );
    return [`closed ${pointName(point)}`];
  },

  /** What keeps other moves from a volume. */
  'in-the-way'(site, command) {
    const row = site.core.volume(volumeOf(command.word(0)));
    const attempt = attempts.attemptInTheWay(site.core, row, site.monotonicMs);
    return [attempt === undefined ? 'nothing is in the way' : `${attemptName(attempt)} is in the way`];
  },

  reserved(site, command) {
    const group = groupIdSchema.parse(command.word(0));
    return [`${attempts.reservedIn(site.core, group, site.monotonicMs)} reserved`];
  },

  'may-renew'(site, command) {
    const { contents } = attempts.getAttempt(site.core, attemptOf(command));
    const may = contents !== undefined && attempts.mayRenew(site.core, contents, site.monotonicMs);
    return [may ? 'it may renew' : 'it may not renew'];
  },
};

export const siteCommands: Commands<ScriptedSite> = { ...life, ...stream, ...calls, ...points };
