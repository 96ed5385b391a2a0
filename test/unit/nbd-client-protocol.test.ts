// The NBD client against servers that are old, wrong or malicious, played by a script of bytes.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { NbdAddress } from '../../nbd/address.js';
import { connectNbd, listNbdExports } from '../../nbd/client.js';
import { NbdDisconnected, NbdError, NbdProtocolError } from '../../nbd/errors.js';
import { afterThisTest, open } from './nbd-fixture.js';
import { words } from './nbd-raw-client.js';

const GREETING = Buffer.from('NBDMAGICIHAVEOPT\0\u0003', 'latin1');
const GO = 7;
const LIST = 3;
const [ACK, INFO, UNSUPPORTED] = [1, 3, 0x80000001];
/** Information about an export of 1 MiB with flags, flush and FUA. */
const EXPORT_INFO = Buffer.concat([Buffer.from([0, 0]), words(0, 1024 * 1024), Buffer.from([0, 0x0d])]);

function optionReply(option: number, reply: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([words(0x0003e889, 0x045565a9, option, reply, data.length), data]);
}

const OPENED = Buffer.concat([optionReply(GO, INFO, EXPORT_INFO), optionReply(GO, ACK)]);

/**
 * A server that greets, and then answers each further chunk it receives with the next of the
 * answers.
 */
async function play(...answers: readonly (Buffer | 'hang up')[]): Promise<NbdAddress> {
  const server = createServer((socket) => {
    const script = answers[Symbol.iterator]();
    socket.on('error', () => {});
    socket.write(GREETING);
    socket.on('data', (chunk) => {
      // The client's flags come alone or in front of its first option; only the rest asks for an
      // answer.
      if (chunk.length === 4) return;
      const { value } = script.next();
      if (value === 'hang up') socket.destroy();
      else if (value !== undefined) socket.write(value);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterThisTest(() => void server.close());
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return { host: '127.0.0.1', port: bound.port };
}

describe('handshake', () => {
  test('a server that knows no GO is asked by EXPORT_NAME', async () => {
    const sizeAndFlags = Buffer.concat([words(0, 4096), Buffer.from([0, 1])]);
    const client = await connectNbd(await play(optionReply(GO, UNSUPPORTED), sizeAndFlags, 'hang up'), 'vol');
    expect(client).toMatchObject({ sizeBytes: 4096, flags: 1, blockSizes: { minimum: 1, preferred: 4096 } });
    await client.disconnect();
  });

  test.each([
    ['a reply with bad magic', words(1, 2, GO, ACK, 0)],
    ['a reply to another option', optionReply(LIST, ACK)],
    ['a reply too long to take', words(0x0003e889, 0x045565a9, GO, INFO, 0x7fffffff)],
    ['no size', optionReply(GO, ACK)],
    ['a size past what numbers hold', optionReply(GO, INFO, Buffer.alloc(12, 0xff).fill(0, 0, 2))],
    ['a reply of unknown type', optionReply(GO, 1234)],
    ['data before any request', Buffer.concat([OPENED, words(0x67446698)])],
  ])('%s is a protocol error', async (_, answer) => {
    await expect(connectNbd(await play(answer), 'vol')).rejects.toBeInstanceOf(NbdProtocolError);
  });

  test('a server that hangs up is a lost connection', async () => {
    await expect(connectNbd(await play('hang up'), 'vol')).rejects.toBeInstanceOf(NbdDisconnected);
  });

  test('a listed name longer than its reply is a protocol error', async () => {
    const answer = optionReply(LIST, 2, words(1000));
    await expect(listNbdExports(await play(answer))).rejects.toBeInstanceOf(NbdProtocolError);
  });
});

describe('transmission', () => {
  test.each([
    ['bad reply magic', words(0x67446699, 0, 0, 1)],
    ['a reply to a request that was never made', words(0x67446698, 0, 0, 99)],
    ['a cookie that is not the client’s', words(0x67446698, 0, 1, 1)],
  ])('%s ends the connection with the cause', async (_, answer) => {
    const client = await open(await play(OPENED, answer), 'vol');
    const failure = await client.flush().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NbdDisconnected);
    expect(failure).toMatchObject({ cause: expect.any(NbdProtocolError) as unknown });
    await client.closed;
  });

  test('replies may come in any order and an unknown error number is EINVAL', async () => {
    const answer = Buffer.concat([words(0x67446698, 0, 0, 2), words(0x67446698, 999, 0, 1)]);
    const client = await open(await play(OPENED, answer, 'hang up'), 'vol');
    const [first, second] = [client.flush(), client.flush()];
    await second;
    const failure = await first.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(NbdError);
    expect(failure).toMatchObject({ code: 'EINVAL' });
  });
});
