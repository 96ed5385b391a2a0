// S4: cuts for ordinary recovery points.
import { randomBytes } from 'node:crypto';
import { groupIdSchema } from '../../../contracts/ids.js';
import { lifeIdSchema } from '../../../contracts/lineage.js';
import { HOLD_MS_MAX } from '../../../contracts/splitter-api.js';
import { expectAnswer, expectEqual, expectThat } from '../../expectations.js';
import type { SplitterBench } from '../bench.js';
import type { SplitterCheck } from './check.js';

const newRound = (): string => `conformance-${randomBytes(8).toString('hex')}`;

/** The cut of the volume's own group. */
export async function cutOf(bench: SplitterBench, holdMs = 0) {
  const round = newRound();
  const { group } = bench.old.endpoint;
  const { cuts, life } = await expectAnswer('cut', bench.calls.cut({ round, group, holdMs }));
  return { round, life, cuts, own: cuts.find(({ volume }) => volume === bench.site.volume) };
}

export const cutChecks: readonly SplitterCheck[] = [
  {
    clause: 'S4.1',
    run: async (bench) => {
      await bench.quiet();
      await bench.write();
      const { last } = await bench.describe();
      const { own } = await cutOf(bench);
      expectEqual('cut', last, own === undefined ? undefined : { session: own.session, n: own.n });
      const group = groupIdSchema.parse('conformance-no-such-group');
      const none = await expectAnswer('cut', bench.calls.cut({ round: newRound(), group, holdMs: 0 }));
      expectEqual('cut of a group without members here', [], none.cuts);
    },
  },
  {
    clause: 'S4.2',
    run: async (bench) => {
      const { attempt } = await bench.fenced();
      const { own } = await cutOf(bench);
      expectEqual('cut of a fenced member', { move: attempt.move, n: attempt.n }, own?.fencedBy);
    },
  },
  {
    clause: 'S4.3',
    run: async (bench) => {
      await bench.quiet();
      const bare = await cutOf(bench);
      const unheld = await expectAnswer('confirm', bench.calls.confirmCut({ round: bare.round, life: bare.life }));
      expectEqual('confirm of a cut without a hold', false, unheld.held);
      const { round } = await cutOf(bench, HOLD_MS_MAX);
      const life = lifeIdSchema.parse(randomBytes(16).toString('hex'));
      const other = await expectAnswer('confirm', bench.calls.confirmCut({ round, life }));
      expectEqual('confirm of a cut for another life', false, other.held);
      await bench.whileHeld(async () => {
        const cut = await cutOf(bench, HOLD_MS_MAX);
        const answer = await expectAnswer('confirm', bench.calls.confirmCut({ round: cut.round, life: cut.life }));
        const again = await expectAnswer('confirm', bench.calls.confirmCut({ round: cut.round, life: cut.life }));
        expectThat(again.held === answer.held, 'confirm of a cut, again', String(answer.held), again.held);
        return answer.held;
      }, 'cut with a hold, confirm');
    },
  },
];
