// Runs steps on the real rules and journals and, beside them, on a model that keeps every version
// of every byte.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { expect } from 'vitest';
import type { AttemptRef } from '../../contracts/attempt.js';
import { MoverError } from '../../contracts/errors.js';
import { estateSchema } from '../../contracts/estate.js';
import {
  groupIdSchema,
  moveIdSchema,
  splitterIdSchema,
  volumeIdSchema,
  type GroupId,
  type PointId,
  type VolumeId,
} from '../../contracts/ids.js';
import type { RecoveryPoint } from '../../contracts/point.js';
import { retentionPolicySchema } from '../../contracts/retention.js';
import * as attempts from '../../simulator/replica-site/core/attempts.js';
import { followEstate } from '../../simulator/replica-site/core/from-estate.js';
import { positionIn, type NewPoint } from '../../simulator/replica-site/core/points.js';
import { attach, hear } from '../../simulator/replica-site/core/attach.js';
import { admit, beginHole, endHole } from '../../simulator/replica-site/core/records.js';
import { acceptedSize, sizeAt } from '../../simulator/replica-site/core/sizes.js';
import type { Image, NewRecord } from '../../simulator/replica-site/journal/terms/types.js';
import { RetentionRounds } from '../../simulator/replica-site/retention-rounds.js';
import { claimOf } from '../support/identities.js';
import { HistorySite } from './history-site.js';
import {
  BLOCK_BYTES,
  GROUPS,
  SIZE_BYTES,
  SIZE_BYTES_MAX,
  VOLUMES,
  type HistoryStep,
  type Write,
} from './history-steps.js';
import { VolumeModel } from './journal-model.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const SPLITTER = splitterIdSchema.parse('s1');
const LEASE_MS = 1_000_000;
const DEADLINE_MS = 3 * HOUR_MS;
/** A Monday. */
const START_MS = Date.UTC(2026, 0, 5);
/**
 * Short beside what a step may take of virtual time, so that nearly every round finds something to
 * do.
 */
const SETTLED_AFTER_MS = 5 * MINUTE_MS;
/** So little that some runs fill it. */
const SMALL_JOURNAL_BYTES = 40_000;
const POLICY = retentionPolicySchema.parse({
  keepAllMs: 2 * HOUR_MS,
  hourlyMs: 8 * HOUR_MS,
  dailyMs: 60 * HOUR_MS,
  weeklyMs: 300 * HOUR_MS,
});

interface Moving {
  readonly attempt: AttemptRef;
  readonly volumes: readonly VolumeId[];
  readonly from: GroupId;
  readonly to: GroupId;
  stage: 'opened' | 'sealed' | 'bookmarked' | 'committed';
}

export interface HistoryTotals {
  readonly points: number;
  readonly images: number;
  readonly grown: number;
  /** Images of a time when their volume was smaller. */
  readonly smaller: number;
  readonly moved: number;
  readonly lives: number;
}

/** @returns what was compared and done, so that a suite can tell that it proved something. */
export async function runHistory(steps: readonly HistoryStep[]): Promise<HistoryTotals> {
  const run = new HistoryRun();
  await run.begin();
  for (const step of steps) await run.step(step);
  return run.finish();
}

class HistoryRun {
  readonly #volumes = VOLUMES.map((name) => volumeIdSchema.parse(name));
  readonly #groups = GROUPS.map((name) => groupIdSchema.parse(name));
  readonly #site = new HistorySite(this.#volumes, SIZE_BYTES_MAX, START_MS);
  /** The models' sizes are those that the splitter has. */
  readonly #models = new Map(
    VOLUMES.map((name) => [volumeIdSchema.parse(name), new VolumeModel(SIZE_BYTES[name])] as const),
  );
  /** The splitter's numbering of each volume. */
  readonly #marks = new Map(this.#volumes.map((volume) => [volume, { session: 1, n: 0 }]));
  readonly #inHole = new Set<VolumeId>();
  /** Points as they were closed: what of them is retained must never change, but for names. */
  readonly #closed = new Map<PointId, RecoveryPoint>();
  #images: { readonly volume: VolumeId; readonly point: PointId; readonly image: Image }[] = [];
  #moves: Moving[] = [];
  #rounds = this.#newRounds();
  #opened = 0;
  #compared = 0;
  #grown = 0;
  #smaller = 0;
  #moved = 0;
  #lives = 0;

  async begin(): Promise<void> {
    const id = (name: string) => ({ id: name, control: { port: 1 }, nbd: { port: 1 } });
    const estate = estateSchema.parse({
      replicaSite: { control: { port: 1 } },
      appliances: [id('a1'), id('a2')],
      splitters: [{ ...id('s1'), volumes: VOLUMES.map((name) => ({ id: name, sizeMiB: 1, group: 'g1' })) }],
      groups: GROUPS.map((name, i) => ({ id: name, appliance: `a${(i % 2) + 1}`, retention: POLICY })),
      worker: { health: { port: 1 } },
    });
    this.#site.change((state, { wallMs }) => {
      followEstate(state, estate, wallMs);
      for (const [volume, { sizeBytes }] of this.#models)
        state.volumes.put(volume, { ...state.volume(volume), sizeBytes });
      const small = state.group(this.#group('g3'));
      state.groups.put(small.group, { ...small, retention: { ...POLICY, journalBytesMax: SMALL_JOURNAL_BYTES } });
    });
    await this.#live();
  }

  async step(step: HistoryStep): Promise<void> {
    try {
      await this.#do(step);
      await nextTurn();
    } catch (error) {
      if (!this.#site.disk.dead) throw error;
    }
    if (this.#site.disk.dead) await this.#live();
  }

  async finish(): Promise<HistoryTotals> {
    await nextTurn();
    if (this.#site.disk.dead || [...this.#site.journals.values()].some((journal) => journal.failure !== undefined))
      await this.#live();
    this.#site.disk.revive();
    for (const volume of this.#volumes) await this.#settle(volume);
    await this.#rounds.run();
    await this.#readImages();
    const points = await this.#compareAll();
    for (const volume of this.#volumes) {
      const journal = this.#site.journal(volume);
      await this.#compare(volume, await journal.openImage(journal.durable.position), 'its end');
    }
    await this.#site.stop();
    return {
      points,
      images: this.#compared,
      grown: this.#grown,
      smaller: this.#smaller,
      moved: this.#moved,
      lives: this.#lives,
    };
  }

  async #do(step: HistoryStep): Promise<void> {
    switch (step.step) {
      case 'write':
        this.#write(volumeIdSchema.parse(step.volume), step.writes);
        return;
      case 'hole':
        this.#hole(volumeIdSchema.parse(step.volume), step.writes, step.ends);
        return;
      case 'grow':
        this.#grow(volumeIdSchema.parse(step.volume), step.blocks, step.serves);
        return;
      case 'turns':
        for (let turn = 0; turn < step.count; turn += 1) await nextTurn();
        return;
      case 'point':
        this.#close(this.#group(step.group), { kind: 'periodic' });
        return;
      case 'bookmark':
        this.#close(this.#group(step.group), { kind: 'demand', bookmark: 'named', keep: step.keep });
        return;
      case 'openMove':
        this.#openMove(
          step.volumes.map((name) => volumeIdSchema.parse(name)),
          this.#group(step.to),
        );
        return;
      case 'advanceMoves':
        for (const move of this.#moves) await this.#advance(move, step.abort);
        return;
      case 'later':
        this.#site.nowMs += step.minutes * MINUTE_MS;
        return;
      case 'retention':
        await this.#rounds.run();
        return;
      case 'openImage':
        await this.#openImage(step.share);
        return;
      case 'readImages':
        await this.#readImages();
        return;
      case 'closeImage':
        this.#images.shift()?.image.close();
        return;
      case 'splitterRestart': {
        const volume = volumeIdSchema.parse(step.volume);
        await this.#settle(volume);
        this.#marks.set(volume, { session: this.#mark(volume).session + 1, n: 0 });
        this.#attach(volume);
        return;
      }
      case 'siteRestart':
        await nextTurn();
        await this.#site.stop();
        await this.#live();
        return;
      case 'dieAfter':
        this.#site.disk.dieAfter(step.calls, step.tornShare);
    }
  }

  // ---- lives of the site ----

  /**
   * The site starts from what it had stored; writes that were not durable are lost there, and the
   * splitters send them no more.
   */
  async #live(): Promise<void> {
    this.#lives += 1;
    await this.#site.stop();
    this.#images = [];
    await this.#site.start();
    this.#rounds = this.#newRounds();
    for (const volume of this.#volumes) {
      const { position, session, n } = this.#site.durable(volume);
      this.#model(volume).cut(position);
      const mark = this.#mark(volume);
      this.#marks.set(volume, { session: mark.session, n: session === mark.session ? n : 0 });
      if (this.#site.state.volume(volume).openHole === undefined) this.#inHole.delete(volume);
      else this.#inHole.add(volume);
      this.#attach(volume);
    }
  }

  #newRounds(): RetentionRounds {
    return new RetentionRounds({
      site: this.#site,
      journals: this.#site.journals,
      inUse: () => new Set(this.#images.map(({ point }) => point)),
      settledAfterMs: SETTLED_AFTER_MS,
      steadyMs: () => this.#site.nowMs,
      log: pino({ level: 'silent' }),
      signal: new AbortController().signal,
    });
  }

  async #settle(volume: VolumeId): Promise<void> {
    const journal = this.#site.journal(volume);
    await journal.whenApplied(this.#model(volume).position);
  }

  // ---- the guest ----

  #attach(volume: VolumeId): void {
    const { session } = this.#mark(volume);
    const { state } = this.#site;
    const { sizeBytes } = this.#model(volume);
    const { epoch, group, openAttempt } = state.volume(volume);
    const confirmed = { lineage: this.#site.lineage(volume), position: this.#site.durable(volume).position };
    // Its folder has the notice and the fence of the attempt under way.
    const ticket = openAttempt === undefined ? 0 : (state.attempt(openAttempt)?.contents?.ticket ?? 0);
    const claim = claimOf({ session, epoch, sizeBytes, confirmed, ticket }, group);
    const heard = this.#site.change((state, nowMs) => hear(state, volume, claim, nowMs));
    expect(heard.kind).toMatch(/Session$/);
    const answer = this.#site.change((state) => attach(state, volume, claim));
    expect(answer.kind).toBe('attached');
    this.#site.journal(volume).grow(acceptedSize(state.volume(volume)));
  }

  /**
   * Makes a volume larger, unless a move of it runs. The splitter numbers a record at its new end
   * right after it attached.
   */
  #grow(volume: VolumeId, blocks: number, serves: boolean): void {
    const model = this.#model(volume);
    const row = this.#site.state.volume(volume);
    const sizeBytes = Math.max(acceptedSize(row), Math.min(SIZE_BYTES_MAX, model.sizeBytes + blocks * BLOCK_BYTES));
    if (row.openAttempt !== undefined) return;
    this.#site.change((state) => state.volumes.put(volume, { ...row, acceptedBytes: sizeBytes }));
    if (!serves || sizeBytes === model.sizeBytes) return;
    model.grow(sizeBytes, this.#site.durable(volume).position);
    this.#attach(volume);
    const end = { offset: sizeBytes - BLOCK_BYTES, length: BLOCK_BYTES };
    this.#append(volume, (stamp) => ({ ...stamp, kind: 'zeroes', ...end }));
    this.#grown += 1;
  }

  #write(volume: VolumeId, writes: readonly Write[]): void {
    const { sizeBytes } = this.#model(volume);
    for (const write of writes) this.#append(volume, (stamp) => recordOf(write, sizeBytes, stamp));
  }

  #hole(volume: VolumeId, writes: readonly Write[], ends: boolean): void {
    if (!this.#inHole.has(volume))
      this.#append(volume, (stamp) => ({ ...stamp, kind: 'initBegin', sinceMs: stamp.timeMs, reason: 'outage' }));
    this.#write(volume, writes);
    if (ends && this.#inHole.has(volume)) this.#append(volume, (stamp) => ({ ...stamp, kind: 'initEnd' }));
  }

  /**
   * Appends as the replica site does on a record of a stream. What is refused (sealed) stays with
   * the splitter, and is not sent in this run.
   */
  #append(volume: VolumeId, record: (stamp: Stamp) => NewRecord): void {
    const { session, n } = this.#mark(volume);
    const { epoch } = this.#site.state.volume(volume);
    const head = { session, n: n + 1, epoch };
    if (admit(this.#site.state, volume, head).kind !== 'append') return;
    this.#marks.set(volume, { session, n: n + 1 });
    const model = this.#model(volume);
    const made = record({ ...head, timeMs: this.#site.nowMs });
    const position = model.position + 1;
    if (made.kind === 'initBegin') {
      this.#inHole.add(volume);
      const { sinceMs, reason } = made;
      this.#site.change((state) => beginHole(state, volume, { fromPosition: position, sinceMs, reason }));
    }
    if (made.kind === 'initEnd') {
      this.#inHole.delete(volume);
      this.#site.change((state) => endHole(state, volume, position, made.timeMs));
    }
    model.append(made);
    this.#site.journal(volume).append([made]);
  }

  // ---- points ----

  #close(group: GroupId, point: Pick<NewPoint, 'kind' | 'bookmark' | 'keep'>): RecoveryPoint {
    const cuts = this.#site.state.membersOf(group).map(({ volume }) => ({ volume, ...this.#mark(volume) }));
    const closed = this.#site.change((state, now) =>
      attempts.closeGroupPoint(state, { group, atMs: now.wallMs, cuts, leftOut: [], ...point }, now),
    );
    this.#closed.set(closed.id, closed);
    return closed;
  }

  // ---- moves ----

  #openMove(names: readonly VolumeId[], to: GroupId): void {
    const from = this.#site.state.volume(names[0] ?? this.#volumes[0] ?? volumeIdSchema.parse('v1')).group;
    const volumes = names.filter((volume) => this.#site.state.volume(volume).group === from);
    this.#opened += 1;
    const attempt = { move: moveIdSchema.parse(`m${this.#opened}`), n: 1 };
    const bound = volumes.map((volume) => ({
      volume,
      splitter: SPLITTER,
      epoch: this.#site.state.volume(volume).epoch,
    }));
    try {
      this.#site.change((state, now) =>
        attempts.openAttempt(
          state,
          { attempt, volumes: bound, from, to, leaseMs: LEASE_MS, deadlineAfterMs: DEADLINE_MS },
          now,
        ),
      );
      this.#moves.push({ attempt, volumes, from, to, stage: 'opened' });
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
    }
  }

  /**
   * Whatever is refused (a hole, an attempt that another one pushed aside) ends the move with its
   * verdict.
   */
  async #advance(move: Moving, abort: boolean): Promise<void> {
    if (abort && move.stage !== 'committed') {
      this.#resolve(move);
      return;
    }
    if (move.stage === 'opened') for (const volume of move.volumes) await this.#settle(volume);
    try {
      this.#site.change((state, now) => {
        switch (move.stage) {
          case 'opened': {
            const cut = (volume: VolumeId) => ({ volume, ...this.#mark(volume) });
            const others = state.membersOf(move.from).map(({ volume }) => cut(volume));
            const { left } = attempts.sealAttempt(state, move.attempt, move.volumes.map(cut), others, now.wallMs, {
              now,
            });
            if (left !== undefined) this.#closed.set(left.point, state.point(left.point).point);
            move.stage = 'sealed';
            return;
          }
          case 'sealed':
            attempts.bookmarkAttempt(state, move.attempt);
            move.stage = 'bookmarked';
            return;
          case 'bookmarked':
            attempts.adoptAttempt(state, move.attempt, now);
            move.stage = 'committed';
            this.#moved += 1;
            return;
          case 'committed':
            return;
        }
      });
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
      this.#resolve(move);
    }
    if (move.stage === 'committed') this.#join(move);
  }

  #resolve(move: Moving): void {
    const { state, left } = this.#site.change((rules, { wallMs }) => {
      const before = attempts.getAttempt(rules, move.attempt);
      return { ...attempts.resolveAttempt(rules, move.attempt, 'test', wallMs), left: before.left };
    });
    if (state === 'ABORTED' && left !== undefined) this.#closed.delete(left.point);
    this.#moves = this.#moves.filter((other) => other !== move);
  }

  #join(move: Moving): void {
    const point = this.#close(move.to, { kind: 'demand' });
    try {
      const { joined } = this.#site.change((state) => attempts.joinAttempt(state, move.attempt, point.id));
      if (joined === undefined) return;
    } catch (error) {
      if (!(error instanceof MoverError)) throw error;
    }
    this.#moves = this.#moves.filter((other) => other !== move);
  }

  // ---- what must be true ----

  /**
   * Every retained point of every group: each member, opened at its position, is what the volume
   * was then.
   */
  async #compareAll(): Promise<number> {
    let points = 0;
    for (const row of this.#site.state.points.values()) {
      const { point } = row;
      const closed = this.#closed.get(point.id);
      expect(closed?.members, `members of ${point.id} stay as they were`).toEqual(point.members);
      for (const { volume } of point.members) {
        const position = positionIn(this.#site.state, row, volume);
        await this.#compare(
          volume,
          await this.#site.journal(volume).openImage(position),
          `${point.id} of ${point.group}`,
        );
      }
      points += 1;
    }
    return points;
  }

  async #openImage(share: number): Promise<void> {
    const rows = [...this.#site.state.points.values()].filter(({ point }) => point.members.length > 0);
    const row = rows[Math.min(rows.length - 1, Math.floor(share * rows.length))];
    const member = row?.point.members[0];
    if (row === undefined || member === undefined) return;
    const { volume } = member;
    const image = await this.#site.journal(volume).openImage(positionIn(this.#site.state, row, volume));
    this.#images.push({ volume, point: row.point.id, image });
  }

  async #readImages(): Promise<void> {
    for (const { volume, point, image } of this.#images) await this.#matches(volume, image, `${point}, held open`);
  }

  async #compare(volume: VolumeId, image: Image, what: string): Promise<void> {
    await this.#matches(volume, image, what);
    image.close();
  }

  async #matches(volume: VolumeId, image: Image, what: string): Promise<void> {
    const expected = this.#model(volume).at(image.position);
    const sizeBytes = sizeAt(this.#site.state.volume(volume), image.position);
    expect(sizeBytes, `size of ${volume} at position ${image.position} (${what})`).toBe(expected.length);
    const bytes = await image.read(0, sizeBytes);
    this.#compared += 1;
    if (sizeBytes < this.#model(volume).sizeBytes) this.#smaller += 1;
    if (bytes.equals(expected)) return;
    const wrong = bytes.findIndex((byte, index) => byte !== expected[index]);
    throw new Error(`${volume} at position ${image.position} (${what}) differs at byte ${wrong}`);
  }

  // ---- names ----

  #group(name: string): GroupId {
    const group = this.#groups.find((candidate) => candidate === name);
    if (group === undefined) throw new Error(`no group ${name}`);
    return group;
  }

  #model(volume: VolumeId): VolumeModel {
    const model = this.#models.get(volume);
    if (model === undefined) throw new Error(`no model of ${volume}`);
    return model;
  }

  #mark(volume: VolumeId): { readonly session: number; readonly n: number } {
    return this.#marks.get(volume) ?? { session: 1, n: 0 };
  }
}

interface Stamp {
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
  readonly timeMs: number;
}

function recordOf({ at, length, seed }: Write, sizeBytes: number, stamp: Stamp): NewRecord {
  const offset = at % sizeBytes;
  const bytes = Math.min(length, sizeBytes - offset);
  if (seed === undefined) return { ...stamp, kind: 'zeroes', offset, length: bytes };
  return { ...stamp, kind: 'write', offset, data: Buffer.from(Array.from({ length: bytes }, (_, i) => seed + i)) };
}
