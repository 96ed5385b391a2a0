// The simulation's clock: when timers run, and in which order.
import { expect, test } from 'vitest';
import { factsOf } from '../simulation/facts.js';
import { MIXES } from '../simulation/mixes.js';
import { VirtualTime } from '../simulation/virtual-time.js';

test('a line keeps its order, whatever fraction of a millisecond it is', async () => {
  const time = new VirtualTime();
  const ran: number[] = [];
  let lastMs = 0;
  let count = 0;
  const delays = [2.7, 0.1, 0, 1.9, 0.4, 3, 0];
  const send = (): void => {
    for (const delayMs of delays) {
      const n = (count += 1);
      lastMs = time.inLine(lastMs, delayMs, () => ran.push(n));
    }
  };
  for (const atMs of [0, 0.3, 0.9, 1.4]) time.after(atMs, send);
  await time.runUntil(() => false, 20);
  expect(ran).toEqual(Array.from({ length: 4 * delays.length }, (_, i) => i + 1));
});

test.each(MIXES.map((mix) => [mix.name, mix] as const))(
  'a run is the same whether or not its quiet timers wait for promises (%s)',
  async (_name, mix) => {
    const facts = async (isNeverQuiet: boolean): Promise<unknown> => {
      const { cpuMs: _differs, ...same } = await factsOf(mix, 700_000, (world) => {
        world.time.isNeverQuiet = isNeverQuiet;
      });
      return same;
    };
    expect(await facts(false)).toEqual(await facts(true));
  },
);
