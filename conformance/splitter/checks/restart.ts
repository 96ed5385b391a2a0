// S5: what outlives a restart of the splitter, however it ended.
import { HOLD_MS_MAX } from '../../../contracts/splitter-api.js';
import { MoverError } from '../../../contracts/errors.js';
import { described, expectAnswer, expectEqual, expectRefusal, expectThat } from '../../expectations.js';
import type { SplitterCheck } from './check.js';
import { cutOf } from './cuts.js';

export const restartChecks: readonly SplitterCheck[] = [
  {
    clause: 'S5.1',
    run: async (bench) => {
      const before = await bench.quiet();
      const { life } = await cutOf(bench);
      await bench.restart();
      const { last } = await bench.quiet();
      expectThat(last.session > before.last.session, 'a restart', `a session above ${before.last.session}`, last);
      const now = await cutOf(bench);
      expectThat(now.life !== life, 'a restart', 'a new life', 'the same');
    },
  },
  {
    clause: 'S5.2',
    run: async (bench) => {
      await bench.quiet();
      bench.old.credit = 0;
      bench.old.dropStreams();
      for (let i = 0; i < 4; i += 1) await bench.write();
      await bench.restart();
      bench.old.credit = Number.MAX_SAFE_INTEGER;
      bench.old.grant(Number.MAX_SAFE_INTEGER);
      await bench.expectReplica();
    },
  },
  {
    clause: 'S5.3',
    run: async (bench) => {
      const { attempt, cut } = await bench.fenced();
      bench.site.barrier = cut;
      await bench.write();
      await bench.restart();
      const { fence } = await bench.describe();
      expectEqual(
        'a restart behind a fence',
        { attempt, cut: { session: cut.session, n: cut.n } },
        { attempt: fence?.attempt, cut: fence?.cut },
      );
      const input = { attempt, volumes: [bench.site.volume], leaseMs: 60_000 };
      try {
        const again = await bench.calls.fence(input);
        expectEqual('fence again after a restart', [cut], again.cuts);
      } catch (error) {
        if (!(error instanceof MoverError)) throw error;
        expectThat(error.code === 'CUT_VOID', 'fence again after a restart', 'its cut, or CUT_VOID', described(error));
      }
      await bench.decide(attempt, 'ABORTED');
      await bench.expectReplica();
    },
  },
  {
    clause: 'S5.4',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      const late = bench.noticeOf(attempt);
      await bench.decide(attempt, 'COMMITTED');
      const { route } = await bench.quiet();
      await bench.restart();
      const after = await bench.describe();
      expectEqual('a restart after COMMITTED', route, after.route);
      const over = ['ATTEMPT_COMMITTED', 'STALE_ATTEMPT'] as const;
      await expectRefusal('late notify after a restart', over, bench.calls.notify(late));
      const { volumes } = late;
      const aborted = { attempt, verdict: 'ABORTED', volumes, to: late.to } as const;
      await expectRefusal(
        'the other verdict after a restart',
        ['ATTEMPT_MISMATCH', 'STALE_ATTEMPT'],
        bench.calls.learn(aborted),
      );
    },
  },
  {
    clause: 'S5.5',
    run: async (bench) => {
      await bench.quiet();
      const { round, life } = await cutOf(bench, HOLD_MS_MAX);
      await bench.restart();
      const { held } = await expectAnswer('confirm', bench.calls.confirmCut({ round, life }));
      expectEqual('confirm of a hold of the life before', false, held);
    },
  },
];
