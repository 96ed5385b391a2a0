// The tests that judge mutants: unit and property tests as one project, which needs no set-up.
// VOLUME_MOVER_JUDGES names a folder or file of them: that is faster, but a mutant that survives
// there may be killed by the others.
import { defineConfig } from 'vitest/config';

/** Longest time for one test, ms: long, since a slow machine must not kill a mutant. */
const TEST_TIMEOUT_MS = 900_000;

export default defineConfig({
  test: {
    include: [process.env['VOLUME_MOVER_JUDGES'] ?? 'test/{unit,property}/**/*.test.ts'],
    // Hundreds of runs on real files for each mutant: slower than all others together.
    exclude: ['test/property/splitter-scan.test.ts'],
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
  },
});
