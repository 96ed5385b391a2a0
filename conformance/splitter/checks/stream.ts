// S2: the stream: who speaks, numbers, credit, marks, resumption.
import { encodeFrame } from '../../../simulator/stream/encode.js';
import { expectEqual, expectThat } from '../../expectations.js';
import type { SplitterBench } from '../bench.js';
import type { SplitterCheck } from './check.js';

/** Writes that are enough to see an order. */
const SOME_WRITES = 8;
/** Credit for two records of one block. */
const LITTLE_CREDIT_BYTES = 5_000;

async function writeSome({ write }: { write: () => Promise<number> }): Promise<void> {
  for (let i = 0; i < SOME_WRITES; i += 1) await write();
}

const writing = (bench: SplitterBench): { write: () => Promise<number> } => ({ write: async () => bench.write() });

async function reattached(bench: SplitterBench, sent: string, act: () => void): Promise<void> {
  const { attaches } = bench.old;
  const before = attaches.length;
  act();
  await bench.soon({
    sent,
    expected: 'the volume attached again',
    holds: () => attaches.length > before,
    came: () => 'no attach',
  });
}

export const streamChecks: readonly SplitterCheck[] = [
  {
    clause: 'S2.1',
    run: async (bench) => {
      await bench.quiet();
      const hello = bench.old.hellos.at(-1);
      expectEqual('nothing', bench.before.splitter, hello?.splitter);
    },
  },
  {
    clause: 'S2.2',
    run: async (bench) => {
      const { sizeBytes, route, source, last, volume } = await bench.quiet();
      const attach = bench.old.attaches.at(-1);
      expectEqual(
        'nothing',
        { volume, sizeBytes, epoch: route.epoch, group: route.group, source: source.id, session: last.session },
        attach === undefined
          ? undefined
          : {
              volume: attach.volume,
              sizeBytes: attach.sizeBytes,
              epoch: attach.epoch,
              group: attach.group,
              source: attach.source,
              session: attach.session,
            },
      );
    },
  },
  {
    clause: 'S2.3',
    run: async (bench) => {
      await writeSome(writing(bench));
      const { last } = await bench.quiet();
      expectEqual('guests’ writes, all confirmed', bench.site.durable(last.session), last.n);
    },
  },
  {
    clause: 'S2.4',
    run: async (bench) => {
      await writeSome(writing(bench));
      await bench.disk.write(0, Buffer.alloc(1_000, 1));
      await bench.disk.write(500, Buffer.alloc(1_000, 2));
      await bench.expectReplica();
    },
  },
  {
    clause: 'S2.5',
    run: async (bench) => {
      bench.old.credit = 0;
      await reattached(bench, 'the end of the connection', () => bench.old.dropStreams());
      const before = bench.site.accepted.length;
      await writeSome(writing(bench));
      bench.old.grant(LITTLE_CREDIT_BYTES);
      await bench.soon({
        sent: `credit of ${LITTLE_CREDIT_BYTES} bytes`,
        expected: 'a record',
        holds: () => bench.site.accepted.length > before,
        came: () => 'none',
      });
      bench.old.grant(Number.MAX_SAFE_INTEGER);
      await bench.expectReplica();
    },
  },
  {
    clause: 'S2.6',
    run: async (bench) => {
      bench.old.confirms = false;
      await writeSome(writing(bench));
      await reattached(bench, 'the end of the connection', () => bench.old.dropStreams());
      bench.old.confirms = true;
      await writeSome(writing(bench));
      bench.old.confirm();
      await bench.expectReplica();
    },
  },
  {
    clause: 'S2.7',
    run: async (bench) => {
      await bench.quiet();
      const header = Buffer.concat(encodeFrame({ type: 'pause', handle: bench.old.attached?.frame.handle ?? 0 }));
      header.writeUInt8(header.readUInt8(header.length - 1) ^ 0xff, header.length - 1);
      await reattached(bench, 'a frame whose header fails its checksum', () => bench.old.sendTorn(header));
      expectThat(
        bench.old.ends.at(-1)?.by !== 'here',
        'a frame with a wrong checksum',
        'the end of the connection',
        'an open one',
      );
      await bench.expectReplica();
    },
  },
  {
    clause: 'S2.8',
    run: async (bench) => {
      bench.old.accepts = false;
      bench.old.dropStreams();
      await writeSome(writing(bench));
      bench.old.accepts = true;
      bench.old.dropStreams();
      await bench.expectReplica();
    },
  },
  {
    clause: 'S2.9',
    run: async (bench) => {
      const { confirmed: before } = await bench.quiet();
      bench.old.confirms = false;
      const arrived = bench.site.accepted.length;
      await bench.write();
      await bench.soon({
        sent: 'a guest’s write',
        expected: 'its record',
        holds: () => bench.site.accepted.length > arrived,
        came: () => 'none',
      });
      const { markedRegions, unconfirmedBytes, confirmed } = await bench.describe();
      const sent = 'no receipt for a write that arrived';
      expectThat(markedRegions > 0, sent, 'a mark', `${markedRegions} marks`);
      expectThat(unconfirmedBytes > 0, sent, 'unconfirmed bytes', unconfirmedBytes);
      expectEqual(sent, before, confirmed);
      bench.old.confirm();
      await bench.quiet();
    },
  },
  {
    clause: 'S2.10',
    run: async (bench) => {
      await bench.quiet();
      bench.old.say('pause');
      await bench.soonShown('pause', 'MARKS_ONLY', ({ mode }) => mode === 'MARKS_ONLY');
      const before = bench.site.accepted.length;
      await writeSome(writing(bench));
      const { mode } = await bench.describe();
      expectEqual('writes while paused', 'MARKS_ONLY', mode);
      expectEqual('writes while paused', before, bench.site.accepted.length);
      bench.old.say('resume');
      await bench.expectReplica();
      const types = bench.site.accepted.slice(before).map(({ type }) => type);
      expectThat(
        types[0] === 'initBegin' && types.includes('initEnd'),
        'resume',
        'initBegin, marked regions, initEnd',
        types,
      );
    },
  },
];
