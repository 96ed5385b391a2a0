// The replica site as far as a splitter can see it: it keeps what arrived, and notes each breach of
// the stream's rules with the clause it breaks.
import { createHash } from 'node:crypto';
import type { GroupId, VolumeId } from '../../contracts/ids.js';
import type { Confirmed, LifeId, LineageId } from '../../contracts/lineage.js';
import type { SplitterVolume } from '../../contracts/splitter-api.js';
import type { AttachedFrame, AttachFrame, RecordFrame } from '../../simulator/stream/frame.js';
import type { Evidence } from '../finding.js';
import type { SplitterClause } from './clauses.js';

/** Bytes from the start of a test volume that the kit writes, and puts back at its end. */
export const SCRATCH_BYTES = 1024 * 1024;
const REGION_BYTES = 64 * 1024;

export interface Breach {
  readonly clause: SplitterClause;
  readonly evidence: Evidence;
}

/** A record that was accepted. */
export interface Accepted {
  readonly type: RecordFrame['type'];
  readonly session: number;
  readonly n: number;
  readonly epoch: number;
  /** Regions that it changes. */
  readonly offset: number;
  readonly length: number;
  /** Tells two records under one number apart. */
  readonly digest: string;
  readonly appliance: string;
}

export class SiteStandIn {
  readonly volume: VolumeId;
  readonly scratch: Buffer;
  readonly breaches: Breach[] = [];
  readonly accepted: Accepted[] = [];
  /** No record beyond this cut may come. */
  barrier: { readonly session: number; readonly n: number } | undefined;
  owner: { readonly group: GroupId; readonly epoch: number };
  readonly #lineage: LineageId;
  readonly #startPosition: number;
  readonly #joinedBefore: { readonly session: number; readonly base: number; readonly n: number };
  #former: LifeId | undefined;
  #session = 0;

  /** Continues the history that the splitter knows. `before` is its inventory while it is quiet. */
  constructor(before: SplitterVolume, lineage: LineageId) {
    const position = before.confirmed?.position ?? 0;
    // What was confirmed elsewhere counts as durable here too.
    const n = before.confirmed === undefined ? 0 : before.last.n;
    this.volume = before.volume;
    this.owner = { group: before.route.group, epoch: before.route.epoch };
    this.scratch = Buffer.alloc(Math.min(SCRATCH_BYTES, before.sizeBytes));
    this.#lineage = before.confirmed?.lineage ?? lineage;
    this.#startPosition = position;
    this.#joinedBefore = { session: before.last.session, base: position - n, n };
  }

  /** The last durable number of a session. */
  durable(session: number): number {
    const last = this.accepted.findLast((record) => record.session === session)?.n;
    return last ?? (session === this.#joinedBefore.session ? this.#joinedBefore.n : 0);
  }

  breach(clause: SplitterClause, sent: string, expected: string, came: string): void {
    this.breaches.push({ clause, evidence: { sent, expected, came } });
  }

  /** What the site says when the volume attaches. */
  meet({ session, life, confirmed }: AttachFrame): Omit<AttachedFrame, 'type' | 'handle'> {
    if (session < this.#session)
      this.breach('S2.3', 'nothing', `a session of at least ${this.#session}`, `attach with session ${session}`);
    this.#session = session;
    const former = this.#former;
    this.#former = life;
    return {
      session,
      n: this.durable(session),
      lineage: this.#lineage,
      base: this.#baseOf(session),
      former,
      touched: this.#touchedAfter(confirmed),
    };
  }

  #baseOf(session: number): number {
    if (session === this.#joinedBefore.session) return this.#joinedBefore.base;
    const before = this.accepted.findIndex((record) => record.session === session);
    return this.#startPosition + (before < 0 ? this.accepted.length : before);
  }

  #touchedAfter(confirmed: Confirmed | undefined): [number, number][] {
    const known = Math.max(0, (confirmed?.position ?? this.#startPosition) - this.#startPosition);
    const regions = new Set<number>();
    for (const { offset, length } of this.accepted.slice(known))
      for (let region = Math.floor(offset / REGION_BYTES); region * REGION_BYTES < offset + length; region += 1)
        regions.add(region);
    return [...regions].sort((a, b) => a - b).map((region) => [region, 1]);
  }

  /** Takes a record. `isRepeat` says that its number is durable already. */
  take(frame: RecordFrame, appliance: string): void {
    const { type, session, n, epoch } = frame;
    const came = `${type} ${session}/${n} at epoch ${epoch}`;
    const digest = digestOf(frame);
    const known = this.accepted.find((record) => record.session === session && record.n === n);
    if (known !== undefined) {
      if (known.digest !== digest) this.breach('S2.6', 'an attachment', `the record that ${session}/${n} was`, came);
      return;
    }
    const last = this.durable(session);
    if (n !== last + 1) this.breach('S2.3', `durable up to ${session}/${last}`, `record ${session}/${last + 1}`, came);
    if (epoch !== this.owner.epoch) this.breach('S2.3', 'an attachment', `epoch ${this.owner.epoch}`, came);
    const { barrier } = this;
    if (barrier !== undefined && (session !== barrier.session || n > barrier.n))
      this.breach('S3.8', `fence; its cut is ${barrier.session}/${barrier.n}`, 'no later record', came);
    const { offset, length } = extentOf(frame);
    this.accepted.push({ type, session, n, epoch, offset, length, digest, appliance });
    if (frame.type === 'write') frame.data.copy(this.scratch, Math.min(offset, this.scratch.length));
    else if (frame.type === 'zeroes') this.scratch.fill(0, offset, offset + length);
  }
}

function extentOf(frame: RecordFrame): { readonly offset: number; readonly length: number } {
  if (frame.type === 'write') return { offset: frame.offset, length: frame.data.length };
  return frame.type === 'zeroes' ? { offset: frame.offset, length: frame.length } : { offset: 0, length: 0 };
}

/** Sum over what a record says, without its time. */
function digestOf(frame: RecordFrame): string {
  const { offset, length } = extentOf(frame);
  const sum = createHash('sha256').update(`${frame.type} ${offset} ${length} `);
  return sum.update(frame.type === 'write' ? frame.data : '').digest('hex');
}
