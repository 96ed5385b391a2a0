// What splitter tests hold a splitter against: appliances that speak the stream, over one site that
// keeps every record it accepts.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AttemptRecord, Verdict } from '../../contracts/attempt.js';
import { type ErrorCode, MoverError, toProblem } from '../../contracts/errors.js';
import type { VolumeId } from '../../contracts/ids.js';
import type { LifeId } from '../../contracts/lineage.js';
import { regionRuns } from '../../simulator/replica-site/intake/region-runs.js';
import { acceptStreams } from '../../simulator/stream/accept.js';
import type { FrameConnection, StreamFrame } from '../../simulator/stream/connection.js';
import type { AttachedFrame, AttachFrame } from '../../simulator/stream/frame.js';
import { LINEAGE } from '../support/identities.js';

type Numbered = Extract<StreamFrame, { n: number; timeMs: number }>;
export type Accepted = Numbered & { readonly appliance: string };

/**
 * The truth of the replica site, as far as a splitter can see it: per volume the accepted records,
 * in order.
 */
export class FakeSite {
  readonly accepted = new Map<VolumeId, Accepted[]>();
  /** What must not happen: gaps, records of another epoch or session than attached. */
  readonly violations: string[] = [];
  readonly epochs = new Map<VolumeId, number>();
  duplicates = 0;
  /** Volumes whose short initialization has no end here: told at each attachment. */
  readonly initializing = new Set<VolumeId>();
  /** The volume of each accepted record, in the order in which they came. */
  readonly order: { readonly volume: VolumeId; readonly bytes: number }[] = [];
  readonly #durable = new Map<VolumeId, { session: number; n: number }>();
  readonly #lives = new Map<VolumeId, LifeId>();

  durable(volume: VolumeId, session: number): number {
    const known = this.#durable.get(volume);
    return known?.session === session ? known.n : 0;
  }

  take(volume: VolumeId, frame: Numbered, appliance: string): void {
    const last = this.durable(volume, frame.session);
    if (frame.n <= last) {
      this.duplicates += 1;
      return;
    }
    if (frame.n !== last + 1) this.violations.push(`${volume}: ${frame.session}/${frame.n} after ${last}`);
    const epoch = this.epochs.get(volume) ?? 1;
    if (frame.epoch !== epoch) this.violations.push(`${volume}: epoch ${frame.epoch} instead of ${epoch}`);
    this.#durable.set(volume, { session: frame.session, n: frame.n });
    const copy = frame.type === 'write' ? { ...frame, data: Buffer.from(frame.data) } : frame;
    this.records(volume).push({ ...copy, appliance });
    if (frame.type === 'initEnd') this.initializing.delete(volume);
    this.order.push({ volume, bytes: frame.type === 'write' ? frame.data.length : 0 });
  }

  /** What the site says of the history when a splitter attaches. */
  meet({
    volume,
    session,
    life,
    confirmed,
  }: AttachFrame): Pick<AttachedFrame, 'lineage' | 'base' | 'former' | 'touched' | 'initializing'> {
    const former = this.#lives.get(volume);
    this.#lives.set(volume, life);
    const records = this.records(volume);
    const first = records.findIndex((record) => record.session === session);
    const touched = regionRuns(records.slice(confirmed?.position ?? 0).flatMap(extentsOf));
    const waits = this.initializing.has(volume) ? ({ initializing: true } as const) : {};
    return { lineage: LINEAGE, base: first < 0 ? records.length : first, former, touched, ...waits };
  }

  records(volume: VolumeId): Accepted[] {
    const records = this.accepted.get(volume) ?? [];
    this.accepted.set(volume, records);
    return records;
  }

  /** The replica: every accepted record applied in order. */
  imageOf(volume: VolumeId, sizeBytes: number): Buffer {
    const image = Buffer.alloc(sizeBytes);
    for (const record of this.records(volume)) {
      if (record.type === 'write') record.data.copy(image, record.offset);
      else if (record.type === 'zeroes') image.fill(0, record.offset, record.offset + record.length);
    }
    return image;
  }
}

interface Attached {
  readonly connection: FrameConnection;
  readonly handle: number;
  readonly volume: VolumeId;
  readonly session: number;
  readonly epoch: number;
}

export class FakeAppliance {
  readonly name: string;
  readonly site: FakeSite;
  /** Whether receipts go out as records come in. */
  confirms = true;
  /** Whether it accepts records at all; otherwise they are read and forgotten. */
  accepts = true;
  refusal: ErrorCode | undefined;
  /** Credit that each attachment gets at once; without end where nothing is said. */
  readonly grants = new Map<VolumeId, number>();
  /** The answer to resolve; none: UNREACHABLE. */
  verdict: Verdict | undefined;
  resolveCalls = 0;
  healthCalls = 0;
  attaches = 0;
  readonly attached = new Map<VolumeId, Attached>();
  readonly #connections = new Set<FrameConnection>();
  readonly #server: Server;
  #port = 0;
  #due = new Set<Attached>();

  constructor(name: string, site: FakeSite) {
    this.name = name;
    this.site = site;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    acceptStreams(this.#server, { onStream: (connection) => this.#serve(connection) });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get streams(): number {
    return this.#connections.size;
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    this.dropStreams();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  dropStreams(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** @param grantedBytes in all, since the volume attached. */
  grant(volume: VolumeId, grantedBytes: number, unappliedBytes = 0): void {
    const attached = this.attached.get(volume);
    attached?.connection.send({ type: 'credit', handle: attached.handle, grantedBytes, unappliedBytes });
  }

  say(volume: VolumeId, type: 'pause' | 'resume'): void {
    const attached = this.attached.get(volume);
    attached?.connection.send({ type, handle: attached.handle });
  }

  #serve(connection: FrameConnection): void {
    const handles = new Map<number, Attached>();
    this.#connections.add(connection);
    connection.start({
      onFrame: (frame) => {
        if (frame.type === 'attach') this.#attach(connection, handles, frame);
        else if (frame.type === 'detach') this.#detach(handles, frame.handle);
        else if ('timeMs' in frame) this.#record(handles.get(frame.handle), frame);
      },
      onClose: () => {
        this.#connections.delete(connection);
        for (const handle of handles.keys()) this.#detach(handles, handle);
      },
    });
  }

  #attach(
    connection: FrameConnection,
    handles: Map<number, Attached>,
    frame: Extract<StreamFrame, { type: 'attach' }>,
  ): void {
    this.attaches += 1;
    const { handle, volume, session, epoch } = frame;
    const code = this.refusal ?? (epoch === (this.site.epochs.get(volume) ?? 1) ? undefined : 'EPOCH_MISMATCH');
    if (code !== undefined) {
      connection.send({ type: 'refused', handle, code, message: `refused by the test: ${code}` });
      return;
    }
    const attached = { connection, handle, volume, session, epoch };
    handles.set(handle, attached);
    this.attached.set(volume, attached);
    connection.send({
      type: 'attached',
      handle,
      session,
      n: this.site.durable(volume, session),
      ...this.site.meet(frame),
    });
    const grantedBytes = this.grants.get(volume) ?? Number.MAX_SAFE_INTEGER;
    if (grantedBytes > 0) connection.send({ type: 'credit', handle, grantedBytes, unappliedBytes: 0 });
  }

  #detach(handles: Map<number, Attached>, handle: number): void {
    const attached = handles.get(handle);
    handles.delete(handle);
    if (attached !== undefined && this.attached.get(attached.volume) === attached)
      this.attached.delete(attached.volume);
  }

  #record(attached: Attached | undefined, frame: Numbered): void {
    if (attached === undefined) {
      this.site.violations.push(`a record for handle ${frame.handle}, which is nobody's`);
      return;
    }
    if (frame.session !== attached.session)
      this.site.violations.push(`${attached.volume}: session ${frame.session} instead of ${attached.session}`);
    if (!this.accepts) return;
    this.site.take(attached.volume, frame, this.name);
    if (!this.confirms) return;
    if (this.#due.size === 0) setImmediate(() => this.#confirmDue());
    this.#due.add(attached);
  }

  #confirmDue(): void {
    for (const attached of this.#due) this.#confirm(attached);
    this.#due = new Set();
  }

  #confirm({ connection, handle, volume, session, epoch }: Attached): void {
    connection.send({ type: 'receipt', handle, session, n: this.site.durable(volume, session), epoch });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const reply = (status: number, content: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    };
    if (request.url === '/healthz') {
      this.healthCalls += 1;
      reply(200, { status: 'ok', role: 'appliance', id: this.name, startedAtMs: 0, notes: [] });
    } else if (request.url === '/v1/attempts/resolve') {
      this.resolveCalls += 1;
      const input = JSON.parse(Buffer.concat(chunks).toString()) as { attempt: AttemptRecord['attempt'] };
      if (this.verdict === undefined) {
        const problem = toProblem(new MoverError('UNREACHABLE', 'no verdict in this test'));
        reply(problem.status, problem);
      } else reply(200, { attempt: input.attempt, state: this.verdict, seals: [] });
    } else reply(404, toProblem(new MoverError('ROUTE_NOT_FOUND', 'not in this test')));
  }
}

function extentsOf(record: Accepted): { readonly offset: number; readonly length: number }[] {
  if (record.type === 'write') return [{ offset: record.offset, length: record.data.length }];
  return record.type === 'zeroes' ? [{ offset: record.offset, length: record.length }] : [];
}
