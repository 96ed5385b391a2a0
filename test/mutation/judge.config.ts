// Runs the judge of mutants by scripts, and nothing else.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['test/mutation/judge.test.ts'] } });
