// A connection that carries frames: order, flow control, closing, faults and liveness.
import { duplexPair } from 'node:stream';
import * as fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MoverError } from '../../contracts/errors.js';
import { FrameConnection } from '../../simulator/stream/connection.js';
import { encodeFrame } from '../../simulator/stream/encode.js';
import { containing } from './control-fixture.js';
import { connectedPair, Recorder, socketPair, streamFrames, writeFrame } from './stream-fixture.js';

test('frames arrive both ways, whole and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(streamFrames, { maxLength: 20 }),
      fc.array(streamFrames, { maxLength: 20 }),
      async (there, back) => {
        const [near, far] = duplexPair().map((side) => new Recorder(new FrameConnection(side)));
        if (near === undefined || far === undefined) throw new Error('no pair');
        for (const frame of there) near.connection.send(frame);
        for (const frame of back) far.connection.send(frame);
        await far.until(({ frames }) => frames.length === there.length);
        await near.until(({ frames }) => frames.length === back.length);
        near.connection.close();
        await Promise.all([near.closed, far.closed]);
        expect([far.frames, near.frames]).toEqual([there, back]);
      },
    ),
    { numRuns: 50 },
  );
});

test('no frame is missed that comes before the connection is started', async () => {
  const [near, far] = await socketPair();
  near.write(Buffer.concat(encodeFrame(writeFrame(1))));
  const connection = new FrameConnection(far);
  await new Promise((resolve) => setImmediate(resolve));
  const recorder = new Recorder(connection);
  await recorder.until(({ frames }) => frames.length === 1);
  expect(recorder.frames).toEqual([writeFrame(1)]);
});

test('all frames of one tick go to the system in one write', async () => {
  const [near] = await socketPair();
  const writes = vi.spyOn(near, '_writev' as 'write');
  const connection = new FrameConnection(near);
  for (let n = 1; n <= 50; n += 1) connection.send(writeFrame(n));
  await new Promise((resolve) => setImmediate(resolve));
  expect(writes).toHaveBeenCalledTimes(1);
});

test('a frame can be relayed as it is, or under another handle, with its payload untouched', async () => {
  const [source, relayIn] = await connectedPair();
  const [relayOut, target] = await connectedPair();
  source.connection.send(writeFrame(1));
  source.connection.send({ type: 'zeroes', handle: 1, session: 1, n: 2, epoch: 1, timeMs: 1, offset: 0, length: 512 });
  await relayIn.until(({ frames }) => frames.length === 2);
  for (const raw of relayIn.raw) {
    relayOut.connection.forward(raw);
    relayOut.connection.forward(raw, 9);
  }
  await target.until(({ frames }) => frames.length === 4);
  expect(target.frames.map((frame) => 'handle' in frame && frame.handle)).toEqual([1, 9, 1, 9]);
  expect(target.frames[0]).toEqual(writeFrame(1));
  expect(target.frames[1]).toEqual({ ...writeFrame(1), handle: 9 });
});

test('send says false above the high-water mark, and drain says when to go on', async () => {
  const [near, far] = await connectedPair({ highWaterBytes: 256 * 1024 });
  far.connection.pause();
  const data = Buffer.alloc(32 * 1024);
  let sent = 0;
  let more = true;
  while (more) {
    sent += 1;
    more = near.connection.send(writeFrame(sent, data));
    // Let the system take what it wants, so that only what it does not is counted.
    if (more) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(near.drains).toBe(0);
  far.connection.resume();
  await near.until(({ drains }) => drains === 1);
  await far.until(({ frames }) => frames.length === sent);
  expect(near.connection.send(writeFrame(sent + 1)), 'after the drain the sender goes on').toBe(true);
});

test('pause stops the hand-over in the midst of a chunk, and resume loses nothing', async () => {
  const [near, far] = await socketPair();
  const recorder: Recorder = new Recorder(new FrameConnection(far), (frame) => {
    if (frame.type === 'write' && frame.n === 3) recorder.connection.pause();
  });
  const sent = Array.from({ length: 10 }, (_, i) => writeFrame(i + 1));
  near.write(Buffer.concat(sent.flatMap(encodeFrame)));
  await recorder.until(({ frames }) => frames.length >= 3);
  await new Promise((resolve) => setImmediate(resolve));
  expect(recorder.frames).toHaveLength(3);
  recorder.connection.resume();
  await recorder.until(({ frames }) => frames.length === 10);
  expect(recorder.frames).toEqual(sent);
});

test('a handler may pause and resume at once', async () => {
  const [near, far] = await socketPair();
  const recorder: Recorder = new Recorder(new FrameConnection(far), () => {
    recorder.connection.pause();
    recorder.connection.resume();
  });
  const sent = Array.from({ length: 10 }, (_, i) => writeFrame(i + 1));
  near.write(Buffer.concat(sent.flatMap(encodeFrame)));
  await recorder.until(({ frames }) => frames.length === 10);
  expect(recorder.frames).toEqual(sent);
});

test('close sends what is left; both sides learn who closed, once', async () => {
  const [near, far] = await connectedPair();
  for (let n = 1; n <= 500; n += 1) near.connection.send(writeFrame(n, Buffer.alloc(4096)));
  near.connection.close();
  near.connection.close();
  expect(await Promise.all([near.closed, far.closed])).toEqual([{ by: 'here' }, { by: 'peer' }]);
  expect(far.frames).toHaveLength(500);
  expect(near.connection.send(writeFrame(501))).toBe(false);
});

test('a connection that ended before it was started still says so', async () => {
  const [near, far] = await socketPair();
  const connection = new FrameConnection(far);
  far.destroy();
  near.destroy();
  await new Promise((resolve) => far.once('close', resolve));
  expect(await new Recorder(connection).closed).toMatchObject({ by: 'fault', error: { code: 'UNREACHABLE' } });
});

test('corrupt bytes end the connection as CORRUPT', async () => {
  const [near, far] = await socketPair();
  const recorder = new Recorder(new FrameConnection(far));
  near.write('GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: none of ours\r\n\r\n');
  expect(await recorder.closed).toMatchObject({ by: 'fault', error: { code: 'CORRUPT' } });
});

test('an end in the midst of a frame is a fault, not a close', async () => {
  const [near, far] = await socketPair();
  const recorder = new Recorder(new FrameConnection(far));
  near.end(Buffer.concat(encodeFrame(writeFrame(1))).subarray(0, 66));
  expect(await recorder.closed).toMatchObject({ by: 'fault', error: { code: 'UNREACHABLE' } });
});

test('an exception from a handler ends the connection with it, also after a resume', async () => {
  for (const viaResume of [false, true]) {
    const [near, far] = await socketPair();
    const refusal = new MoverError('VOLUME_NOT_FOUND', 'There is no such handle.');
    const recorder: Recorder = new Recorder(new FrameConnection(far), (frame) => {
      if (viaResume && frame.type === 'write' && frame.n === 1) recorder.connection.pause();
      else throw refusal;
    });
    near.write(Buffer.concat([writeFrame(1), writeFrame(2)].flatMap(encodeFrame)));
    if (viaResume) {
      await recorder.until(({ frames }) => frames.length === 1);
      recorder.connection.resume();
    }
    expect(await recorder.closed).toEqual({ by: 'fault', error: refusal });
  }
});

test('pings keep a quiet connection open and do not reach its users; one that does not answer is dropped', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const [nearSide, farSide] = duplexPair();
  const near = new Recorder(new FrameConnection(nearSide));
  const far = new Recorder(new FrameConnection(farSide));
  for (let i = 0; i < 30; i += 1) {
    vi.advanceTimersByTime(1_000);
    await settle();
  }
  expect([near.frames, far.frames]).toEqual([[], []]);
  expect([nearSide.destroyed, farSide.destroyed]).toEqual([false, false]);

  const [lonely, deadSide] = duplexPair();
  const alone = new Recorder(new FrameConnection(lonely));
  deadSide.resume();
  vi.advanceTimersByTime(9_999);
  await settle();
  expect(lonely.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(await alone.closed).toMatchObject({
    by: 'fault',
    error: { code: 'UNREACHABLE', message: containing('silent') },
  });
});

test('a side that has paused reading does not take the other for gone', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const [side, dead] = duplexPair();
  dead.resume();
  const recorder = new Recorder(new FrameConnection(side));
  recorder.connection.pause();
  vi.advanceTimersByTime(60_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(side.destroyed).toBe(false);
});
