// An appliance as far as a splitter can see it: it takes the stream, answers health, and answers
// with the verdict that a check set.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { attemptRefSchema, type Endpoint, type Verdict } from '../../contracts/attempt.js';
import { MoverError, toProblem } from '../../contracts/errors.js';
import type { SplitterId } from '../../contracts/ids.js';
import { acceptStreams } from '../../simulator/stream/accept.js';
import type { CloseReason, FrameConnection, StreamFrame } from '../../simulator/stream/connection.js';
import { costOf } from '../../simulator/stream/credit.js';
import type { AttachFrame, HelloFrame, RecordFrame } from '../../simulator/stream/frame.js';
import type { SiteStandIn } from './site-stand-in.js';

interface Attachment {
  readonly connection: FrameConnection;
  readonly frame: AttachFrame;
  grantedBytes: number;
  spentBytes: number;
  /** The number that the last record had, or `attached`. */
  last: number;
}

const resolveSchema = z.object({ attempt: attemptRefSchema });
/** What an attachment gets when nothing is to be held back. */
const UNLIMITED_BYTES = Number.MAX_SAFE_INTEGER;

export class ApplianceStandIn {
  readonly endpoint: Endpoint;
  /** Whether receipts go out as records come in. */
  confirms = true;
  /** Whether the volume may attach. */
  accepts = true;
  /** Credit that the next attachments get; the default is all they want. */
  credit = UNLIMITED_BYTES;
  /** Answer to the question for a verdict. Without one it can't tell. */
  verdict: Verdict | undefined;
  readonly asked: z.infer<typeof attemptRefSchema>[] = [];
  readonly hellos: HelloFrame[] = [];
  readonly attaches: AttachFrame[] = [];
  /** How connections ended. */
  readonly ends: CloseReason[] = [];
  healthCalls = 0;
  attached: Attachment | undefined;
  readonly #site: SiteStandIn;
  readonly #splitter: SplitterId;
  readonly #server: Server;
  readonly #connections = new Set<FrameConnection>();

  constructor(endpoint: Endpoint, site: SiteStandIn, splitter: SplitterId) {
    this.endpoint = endpoint;
    this.#site = site;
    this.#splitter = splitter;
    this.#server = createServer((request, response) => void this.#answer(request, response));
    acceptStreams(this.#server, { onStream: (connection) => this.#serve(connection) });
  }

  /** @throws MoverError CHANGE_REFUSED when the address is taken: a real appliance may be there */
  async start(): Promise<void> {
    const { hostname, port, protocol } = new URL(this.endpoint.url);
    const host = hostname.replace(/^\[|\]$/g, '');
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(
          new MoverError(
            'CHANGE_REFUSED',
            `The kit can't stand in for the appliance at ${this.endpoint.url}: ${cause.message}. Nothing was changed. Use a test volume whose appliance is not there.`,
            { cause },
          ),
        ),
      );
      this.#server.listen(Number(port === '' ? (protocol === 'https:' ? 443 : 80) : port), host, resolve);
    });
  }

  async stop(): Promise<void> {
    this.dropStreams();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  dropStreams(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** Raises the credit of the attachment to this many bytes in all. */
  grant(grantedBytes: number): void {
    this.credit = grantedBytes;
    if (this.attached === undefined) return;
    const { connection, frame } = this.attached;
    // A grant only grows.
    this.attached.grantedBytes = Math.max(this.attached.grantedBytes, grantedBytes);
    connection.send({ type: 'credit', handle: frame.handle, grantedBytes, unappliedBytes: 0 });
  }

  say(type: 'pause' | 'resume'): void {
    if (this.attached !== undefined) this.attached.connection.send({ type, handle: this.attached.frame.handle });
  }

  /** Confirms all that came. */
  confirm(): void {
    if (this.attached === undefined) return;
    const { connection, frame } = this.attached;
    const { handle, session, epoch } = frame;
    connection.send({ type: 'receipt', handle, session, n: this.#site.durable(session), epoch });
  }

  #serve(connection: FrameConnection): void {
    this.#connections.add(connection);
    let isGreeted = false;
    connection.start({
      onFrame: (frame) => {
        if (!isGreeted) {
          isGreeted = true;
          if (frame.type !== 'hello') this.#site.breach('S2.1', 'nothing', 'hello as the first frame', frame.type);
        } else if (frame.type === 'hello') this.#site.breach('S2.1', 'nothing', 'one hello', 'another hello');
        this.#received(connection, frame);
      },
      onClose: (reason) => {
        this.ends.push(reason);
        this.#connections.delete(connection);
        if (this.attached?.connection === connection) this.attached = undefined;
      },
    });
  }

  #received(connection: FrameConnection, frame: StreamFrame): void {
    switch (frame.type) {
      case 'hello':
        this.#greeted(frame);
        return;
      case 'attach':
        this.#attach(connection, frame);
        return;
      case 'detach':
        if (this.attached?.connection === connection && this.attached.frame.handle === frame.handle)
          this.attached = undefined;
        return;
      case 'write':
      case 'zeroes':
      case 'initBegin':
      case 'initEnd':
        this.#record(connection, frame);
        return;
      default:
        this.#site.breach('S2.1', 'nothing', 'frames of a sender', frame.type);
    }
  }

  #greeted(frame: HelloFrame): void {
    this.hellos.push(frame);
    if (frame.splitter !== this.#splitter)
      this.#site.breach('S2.1', 'nothing', `hello of ${this.#splitter}`, `hello of ${frame.splitter}`);
  }

  #attach(connection: FrameConnection, frame: AttachFrame): void {
    const { handle, volume, epoch } = frame;
    if (volume !== this.#site.volume || !this.accepts) {
      const message = volume === this.#site.volume ? 'The kit does not accept it now.' : 'It is no test volume.';
      connection.send({ type: 'refused', handle, code: 'UNREACHABLE', message });
      return;
    }
    this.attaches.push(frame);
    const { owner } = this.#site;
    if (epoch !== owner.epoch || owner.group !== this.endpoint.group) {
      const message = `Group "${owner.group}" owns the volume at epoch ${owner.epoch}.`;
      connection.send({ type: 'refused', handle, code: 'EPOCH_MISMATCH', message });
      return;
    }
    const attached = this.#site.meet(frame);
    const grantedBytes = this.credit;
    this.attached = { connection, frame, grantedBytes, spentBytes: 0, last: attached.n };
    connection.send({ type: 'attached', handle, ...attached });
    connection.send({ type: 'credit', handle, grantedBytes, unappliedBytes: 0 });
  }

  #record(connection: FrameConnection, frame: RecordFrame): void {
    const { attached } = this;
    // Records of an attachment that the kit ended may still be on their way.
    if (attached?.connection !== connection || attached.frame.handle !== frame.handle) return;
    const sent = `attached with ${attached.frame.session}/${attached.last}, ${attached.grantedBytes} bytes of credit`;
    if (attached.spentBytes >= attached.grantedBytes)
      this.#site.breach('S2.5', sent, 'no record', `${frame.type} ${frame.n}`);
    attached.spentBytes += costOf(frame);
    if (frame.session !== attached.frame.session)
      this.#site.breach('S2.3', sent, `session ${attached.frame.session}`, `session ${frame.session}`);
    if (frame.n <= attached.last) this.#site.breach('S2.6', sent, `record ${attached.last + 1}`, `record ${frame.n}`);
    attached.last = frame.n;
    this.#site.take(frame, this.endpoint.appliance);
    if (this.confirms) this.confirm();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => '');
    const reply = (status: number, content: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    const refuse = (error: MoverError): void => reply(toProblem(error).status, toProblem(error));
    const [path] = (request.url ?? '').split('?', 1);
    if (path === '/healthz') {
      this.healthCalls += 1;
      reply(200, { status: 'ok', role: 'appliance', id: this.endpoint.appliance, startedAtMs: 0, notes: [] });
    } else if (path === '/v1/attempts/resolve') this.#resolve(body, reply, refuse);
    else refuse(new MoverError('ROUTE_NOT_FOUND', `The kit has no ${request.method} ${path}.`));
  }

  #resolve(body: string, reply: (status: number, content: unknown) => void, refuse: (error: MoverError) => void): void {
    const input = resolveSchema.safeParse(jsonOf(body));
    if (!input.success) {
      refuse(new MoverError('INVALID_REQUEST', 'resolve: an attempt is expected.'));
      return;
    }
    this.asked.push(input.data.attempt);
    if (this.verdict === undefined) refuse(new MoverError('UNREACHABLE', 'The kit does not tell the verdict yet.'));
    else reply(200, { attempt: input.data.attempt, state: this.verdict, seals: [] });
  }

  /** Sends a frame whose header fails its checksum. */
  sendTorn(header: Buffer): void {
    this.attached?.connection.forward({ header, payload: Buffer.alloc(0) });
  }
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
