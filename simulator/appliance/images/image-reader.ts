// Reads raw bytes of an open image at the replica site.
import { request } from 'undici';
import { connectionsFor } from '../../../control/connections.js';
import { type Credentials, tokenFor } from '../../../control/credentials.js';
import { fromProblem, MoverError, problemSchema } from '../../../contracts/errors.js';
import { IMAGE_READ_BYTES_MAX, IMAGE_READ_PATH } from '../../../contracts/replica-site-api.js';
import type { Link } from '../link.js';

/** Longest wait for one read, ms: a slower disk counts as gone. */
const READ_MS_MAX = 30_000;

export interface ImageReaderOptions {
  readonly siteUrl: string;
  readonly credentials: Credentials | undefined;
  readonly link: Link;
}

export class ImageReader {
  readonly #options: ImageReaderOptions;

  constructor(options: ImageReaderOptions) {
    this.#options = options;
  }

  /**
   * Reads exactly `length` bytes. Longer ranges are read in parts, one after another.
   * @throws MoverError the site's own, UNREACHABLE, LINK_DOWN; the signal's reason
   */
  async read(image: string, offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let at = 0; at < length; at += IMAGE_READ_BYTES_MAX) {
      parts.push(await this.#readPart(image, offset + at, Math.min(IMAGE_READ_BYTES_MAX, length - at), signal));
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  async #readPart(image: string, offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
    const { siteUrl, credentials, link } = this.#options;
    const query = new URLSearchParams({ image, offset: String(offset), length: String(length) });
    const url = `${siteUrl.replace(/\/+$/, '')}${IMAGE_READ_PATH}?${query.toString()}`;
    return link.call(async (linked) => {
      const bytes = await fetchBytes(url, credentials, linked);
      if (bytes.length === length) return bytes;
      throw new MoverError('INTERNAL', `The replica site answered ${bytes.length} bytes instead of ${length}.`);
    }, signal);
  }
}

/** Fetches a body. @throws MoverError the server's own, UNREACHABLE; the signal's reason */
async function fetchBytes(url: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<Buffer> {
  const token = tokenFor(url, credentials);
  let status: number;
  let body: Buffer;
  try {
    const response = await request(url, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      dispatcher: connectionsFor(credentials?.tls),
      signal: AbortSignal.any([signal, AbortSignal.timeout(READ_MS_MAX)]),
    });
    status = response.statusCode;
    body = Buffer.from(await response.body.arrayBuffer());
  } catch (cause) {
    signal.throwIfAborted();
    throw new MoverError('UNREACHABLE', 'The replica site did not answer a read.', { cause });
  }
  if (status === 200) return body;
  throw problemOf(body) ?? new MoverError('UNREACHABLE', `The replica site answered a read with status ${status}.`);
}

function problemOf(body: Buffer): MoverError | undefined {
  try {
    return fromProblem(problemSchema.parse(JSON.parse(body.toString('utf8'))));
  } catch {
    return undefined;
  }
}
