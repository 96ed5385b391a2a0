// The server's side of fixed newstyle option haggling, from the greeting to an opened export.
import type { Socket } from 'node:net';
import type { BlockDevice, ExportDirectory, NbdPeer } from './block-device.js';
import type { Certificates } from './certificates.js';
import { NbdError, NbdProtocolError } from './errors.js';
import { exportFlags, exportInformation } from './export-information.js';
import type { NbdLimits } from './limits.js';
import { namesFor } from './meta-context.js';
import type { MetaContext } from './meta-context.js';
import { contextQueries, nameAskedFor } from './option-data.js';
import type { ContextQueries } from './option-data.js';
import { OptionDialogue } from './option-dialogue.js';
import { serveTls } from './tls.js';
import { EXPORT_NAME_PADDING_BYTES, MAX_NAME_BYTES, Option, OptionReply } from './protocol.js';

/** Most contexts of one connection: each costs the device memory. */
const CONTEXTS_MAX = 16;

/** The handshake's result. */
export interface OpenedExport {
  readonly device: BlockDevice;
  /** Transmission bytes that arrived already, from a client that didn't wait for the reply. */
  readonly early: Buffer;
  /** Whether structured replies were agreed on. */
  readonly structured: boolean;
  /** The contexts that the client chose. A context's id is its index. */
  readonly contexts: readonly MetaContext[];
}

/** The place of TLS in a handshake. */
export interface TlsTerms {
  /** The server's certificates; undefined: the server has none, and can't speak TLS. */
  readonly certificates: (() => Certificates) | undefined;
  /** Whether a client learns nothing before TLS is in use. */
  readonly required: boolean;
}

export interface ServerHandshakeOptions {
  readonly socket: Socket;
  readonly exports: ExportDirectory;
  readonly peer: NbdPeer;
  readonly limits: NbdLimits;
  readonly tls: TlsTerms;
  /** Called with the socket that stands for the connection from now on. */
  readonly onSecure: (socket: Socket) => void;
}

/** An export that a client asked about, and will most likely open next. */
interface Candidate {
  readonly name: string;
  readonly device: BlockDevice;
  readonly contexts: readonly MetaContext[];
}

interface Refusal {
  readonly refusal: number;
  readonly message: string;
}

const TLS_REQUIRED: Refusal = {
  refusal: OptionReply.errTlsRequired,
  message: 'TLS with a client certificate is required, except on the same host',
};
const NO_CERTIFICATES: Refusal = {
  refusal: OptionReply.errUnsupported,
  message: 'the server has no certificates, so it serves clients on its own host only',
};

export class ServerHandshake {
  readonly #options: ServerHandshakeOptions;
  #socket: Socket;
  #dialogue: OptionDialogue;
  #isSecure = false;
  #padded = true;
  #structured = false;
  #candidate: Candidate | undefined;

  constructor(options: ServerHandshakeOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#dialogue = new OptionDialogue(options.socket);
  }

  /**
   * Answers the client's options until it opens an export or leaves.
   * @returns the opened export; undefined if the client only asked
   * @throws NbdDisconnected, NbdProtocolError, or what the directory's `list` or a device's `close`
   * throws
   */
  async negotiate(): Promise<OpenedExport | undefined> {
    try {
      this.#padded = await this.#dialogue.greet();
      for (;;) {
        const end = await this.#answerOption();
        if (end === 'left') return undefined;
        if (end !== undefined) {
          this.#candidate = undefined;
          return { ...end, early: this.#dialogue.early, structured: this.#structured };
        }
      }
    } finally {
      await this.#closeCandidate();
    }
  }

  /** Answers one option. Returns how the dialogue ended, if it did. */
  async #answerOption(): Promise<Candidate | 'left' | undefined> {
    const { option, data } = await this.#dialogue.next();
    if (data === undefined) {
      // EXPORT_NAME can't be answered with an error.
      if (option === Option.exportName) return 'left';
      await this.#refuse(option, { refusal: OptionReply.errTooBig, message: 'option too long' });
      return undefined;
    }
    if (this.#options.tls.required && !this.#isSecure && option !== Option.startTls && option !== Option.abort) {
      if (option === Option.exportName) return 'left';
      await this.#refuse(option, TLS_REQUIRED);
      return undefined;
    }
    switch (option) {
      case Option.startTls:
        await this.#startTls(data);
        return undefined;
      case Option.exportName:
        return (await this.#exportName(data.toString('utf8'))) ?? 'left';
      case Option.abort:
        await this.#dialogue.reply(option, OptionReply.ack);
        return 'left';
      case Option.list:
        await this.#list(data);
        return undefined;
      case Option.structuredReply:
        await this.#structuredReply(data);
        return undefined;
      case Option.listMetaContext:
      case Option.setMetaContext:
        await this.#metaContext(option, data);
        return undefined;
      case Option.info:
      case Option.go:
        return this.#informOrGo(option, data);
      default:
        await this.#dialogue.reply(option, OptionReply.errUnsupported);
        return undefined;
    }
  }

  async #startTls(data: Buffer): Promise<void> {
    const { certificates } = this.#options.tls;
    if (certificates === undefined) {
      await this.#refuse(Option.startTls, NO_CERTIFICATES);
      return;
    }
    if (data.length > 0 || this.#isSecure) {
      await this.#refuse(Option.startTls, invalid(data.length > 0 ? 'STARTTLS takes no data' : 'TLS is in use'));
      return;
    }
    // Whoever can write into the connection must not smuggle options into the part under TLS.
    if (this.#dialogue.early.length > 0) throw new NbdProtocolError('bytes between STARTTLS and TLS');
    const secured = certificates();
    await this.#dialogue.reply(Option.startTls, OptionReply.ack);
    this.#socket = await serveTls(this.#socket, secured);
    this.#options.onSecure(this.#socket);
    this.#isSecure = true;
    // Nothing that was agreed on before counts.
    this.#structured = false;
    await this.#closeCandidate();
    this.#dialogue = new OptionDialogue(this.#socket);
  }

  async #list(data: Buffer): Promise<void> {
    if (data.length > 0) {
      await this.#refuse(Option.list, invalid('LIST takes no data'));
      return;
    }
    for (const name of this.#options.exports.list()) {
      const bytes = text(name);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      await this.#dialogue.reply(Option.list, OptionReply.server, Buffer.concat([length, bytes]));
    }
    await this.#dialogue.reply(Option.list, OptionReply.ack);
  }

  async #structuredReply(data: Buffer): Promise<void> {
    if (data.length > 0) {
      await this.#refuse(Option.structuredReply, invalid('STRUCTURED_REPLY takes no data'));
      return;
    }
    this.#structured = true;
    await this.#dialogue.reply(Option.structuredReply, OptionReply.ack);
  }

  async #metaContext(option: number, data: Buffer): Promise<void> {
    // Whatever comes of it, an earlier choice no longer counts.
    if (option === Option.setMetaContext) this.#forgetContexts();
    const asked = contextQueries(data);
    if (asked === undefined) {
      await this.#refuse(option, invalid('malformed option'));
      return;
    }
    if (!this.#structured) {
      await this.#refuse(option, invalid('structured replies come first'));
      return;
    }
    const device = await this.#openCandidate(asked.exportName);
    if (!isOpen(device)) {
      await this.#refuse(option, device);
      return;
    }
    if (option === Option.listMetaContext) await this.#listContexts(device, asked);
    else await this.#setContexts(device, asked);
  }

  async #listContexts(device: BlockDevice, { queries }: ContextQueries): Promise<void> {
    const listed = (await device.contexts?.list()) ?? [];
    const names = queries.length === 0 ? listed : queries.flatMap((query) => namesFor(query, listed));
    for (const name of new Set(names)) await this.#tellContext(Option.listMetaContext, 0, name);
    await this.#dialogue.reply(Option.listMetaContext, OptionReply.ack);
  }

  async #setContexts(device: BlockDevice, { exportName, queries }: ContextQueries): Promise<void> {
    const contexts: MetaContext[] = [];
    try {
      for (const name of new Set(queries)) {
        const context = await device.contexts?.open(name);
        if (context !== undefined) contexts.push(context);
        if (contexts.length > CONTEXTS_MAX) {
          await this.#refuse(Option.setMetaContext, { refusal: OptionReply.errTooBig, message: 'too many contexts' });
          return;
        }
      }
    } catch (error) {
      await this.#refuse(Option.setMetaContext, refusalFor(error));
      return;
    }
    this.#candidate = { name: exportName, device, contexts };
    for (const [id, { name }] of contexts.entries()) await this.#tellContext(Option.setMetaContext, id, name);
    await this.#dialogue.reply(Option.setMetaContext, OptionReply.ack);
  }

  async #tellContext(option: number, id: number, name: string): Promise<void> {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(id);
    await this.#dialogue.reply(option, OptionReply.metaContext, Buffer.concat([number, text(name)]));
  }

  async #exportName(name: string): Promise<Candidate | undefined> {
    const device = await this.#openCandidate(name);
    if (!isOpen(device)) return undefined;
    const answer = Buffer.alloc(10 + (this.#padded ? EXPORT_NAME_PADDING_BYTES : 0));
    answer.writeBigUInt64BE(BigInt(device.sizeBytes), 0);
    answer.writeUInt16BE(exportFlags(device, this.#structured), 8);
    await this.#dialogue.send(answer);
    return this.#candidate;
  }

  async #informOrGo(option: number, data: Buffer): Promise<Candidate | undefined> {
    const name = nameAskedFor(data);
    if (name === undefined) {
      await this.#refuse(option, invalid('malformed option'));
      return undefined;
    }
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      await this.#refuse(option, { refusal: OptionReply.errTooBig, message: 'name too long' });
      return undefined;
    }
    const device = await this.#openCandidate(name);
    if (!isOpen(device)) {
      await this.#refuse(option, device);
      return undefined;
    }
    await this.#inform(option, name, device);
    return option === Option.go ? this.#candidate : undefined;
  }

  async #inform(option: number, name: string, device: BlockDevice): Promise<void> {
    // All items are sent, requested or not: the protocol allows it, and clients that don't ask
    // still learn the block sizes.
    const { payloadBytesMax } = this.#options.limits;
    const items = exportInformation(name, device, { structured: this.#structured, payloadBytesMax });
    for (const item of items) await this.#dialogue.reply(option, OptionReply.info, item);
    await this.#dialogue.reply(option, OptionReply.ack);
  }

  /**
   * Opens an export, or takes the candidate: a client that asks before it opens an image costs
   * one image. The candidate is closed when another takes its place, and at the end.
   */
  async #openCandidate(name: string): Promise<BlockDevice | Refusal> {
    if (this.#candidate?.name === name) return this.#candidate.device;
    await this.#closeCandidate();
    try {
      const device = await this.#options.exports.open(name, this.#options.peer);
      if (device === undefined) return { refusal: OptionReply.errUnknown, message: 'no such export' };
      this.#candidate = { name, device, contexts: [] };
      return device;
    } catch (error) {
      return refusalFor(error);
    }
  }

  #forgetContexts(): void {
    if (this.#candidate !== undefined) this.#candidate = { ...this.#candidate, contexts: [] };
  }

  async #closeCandidate(): Promise<void> {
    const candidate = this.#candidate;
    this.#candidate = undefined;
    await candidate?.device.close();
  }

  async #refuse(option: number, { refusal, message }: Refusal): Promise<void> {
    await this.#dialogue.reply(option, refusal, text(message));
  }
}

function isOpen(opened: BlockDevice | Refusal): opened is BlockDevice {
  return !('refusal' in opened);
}

function invalid(message: string): Refusal {
  return { refusal: OptionReply.errInvalid, message };
}

function refusalFor(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : "the export can't be opened";
  if (error instanceof NbdError && error.code === 'EPERM') {
    return { refusal: OptionReply.errPolicy, message };
  }
  if (error instanceof NbdError && error.code === 'ESHUTDOWN') {
    return { refusal: OptionReply.errShutdown, message };
  }
  return { refusal: OptionReply.errUnknown, message };
}

function text(message: string): Buffer {
  return Buffer.from(message.slice(0, MAX_NAME_BYTES), 'utf8');
}
