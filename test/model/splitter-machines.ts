// The splitters of a scenario as machines whose states are remembered.
import { GOLD, type Scenario, SILVER, splitterRows, splittersOf } from './scenario.js';
import { Machine } from './search/machine.js';
import { type SplitterInput, type SplitterOutput, SplitterPart, type SplitterView } from './splitter-part.js';

export type SplitterMachine = Machine<SplitterInput, SplitterOutput, SplitterView>;

/**
 * One machine for each splitter of the scenario.
 * @param judge throws when a step broke a promise
 */
export function splitterMachines(
  scenario: Scenario,
  judge: ConstructorParameters<typeof Machine<SplitterInput, SplitterOutput, SplitterView>>[1],
): SplitterMachine[] {
  return splittersOf(scenario).map(
    (splitter, i) =>
      new Machine<SplitterInput, SplitterOutput, SplitterView>(
        () =>
          new SplitterPart({
            splitter,
            lives: (i + 1) * 1_000,
            rows: splitterRows(scenario, splitter),
            queueBytes: scenario.queueBytes,
            endpointOf: ({ group, epoch }) => ({ ...(group === GOLD.group ? GOLD : SILVER), epoch }),
          }),
        judge,
      ),
  );
}
