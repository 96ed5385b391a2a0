// How tests run against a planted bug: in one process without a start for each file, since hundreds
// of bugs are planted, and up to the first failure.
import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Runs the files that failed last first: neighbouring bugs are often found by one file. Then short
 * ones.
 */
class LikelyFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const known = files.map((file) => ({ file, ...this.#resultOf(file) }));
    return known
      .toSorted((a, b) => Number(b.failed) - Number(a.failed) || a.duration - b.duration)
      .map(({ file }) => file);
  }

  #resultOf({ project, moduleId }: TestSpecification): { readonly failed: boolean; readonly duration: number } {
    const { cache, config } = this.ctx;
    return (
      cache.getFileTestResults(`${project.name}:${relative(config.root, moduleId)}`) ?? { failed: false, duration: 0 }
    );
  }
}

export default defineConfig({
  test: {
    include: ['test/{unit,property,simulation}/**/*.test.ts'],
    pool: 'forks',
    isolate: false,
    maxWorkers: 1,
    bail: 1,
    // The process that runs a bug's tests is stopped from outside when it takes too long.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    sequence: { sequencer: LikelyFirst },
  },
});
