// The process in which tests run against the copy: vitest is started once, and each request runs
// the files anew after a change of one source.
import { join, relative } from 'node:path';
import { createVitest, type Reporter, type TestCase, type TestModule, type Vitest } from 'vitest/node';
import type { TestRequest, TestRun } from './test-runner.js';

/** First part of a failure's message that is kept, characters. */
const MESSAGE_LENGTH_MAX = 1_000;

const [folder = '.'] = process.argv.slice(2);

/** Takes note of what a run shows. */
class Collector implements Reporter {
  run: TestRun = { passed: [] };

  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    const name = `${relative(folder, test.module.moduleId)}: ${test.fullName.replaceAll(' > ', ' ')}`;
    if (result.state === 'passed') this.run = { ...this.run, passed: [...this.run.passed, name] };
    if (result.state !== 'failed' || this.run.failed !== undefined) return;
    // A property's seed and path are in the cause.
    const message = result.errors.map(({ message: text, cause }) => [text, cause?.message ?? ''].join(' ')).join(' ');
    this.run = { ...this.run, failed: { name, message: message.slice(0, MESSAGE_LENGTH_MAX) } };
  }

  onTestModuleEnd(module: TestModule): void {
    const [error] = module.errors();
    if (error === undefined || this.run.broken !== undefined) return;
    this.run = {
      ...this.run,
      broken: `${relative(folder, module.moduleId)}: ${error.message.slice(0, MESSAGE_LENGTH_MAX)}`,
    };
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly { readonly message: string }[]): void {
    const [error] = unhandled;
    if (error === undefined || this.run.failed !== undefined) return;
    this.run = { ...this.run, failed: { name: 'an error that no test caught', message: error.message } };
  }
}

const collector = new Collector();
const vitest = createVitest(
  'test',
  { root: folder, config: join(folder, 'test/bank/vitest.config.ts'), watch: false, reporters: [collector] },
  { logLevel: 'silent' },
);

process.on('message', (request: TestRequest) => void answer(request));
process.on('disconnect', () => process.exit());

async function answer(request: TestRequest): Promise<void> {
  process.send?.(await run(await vitest, request));
}

async function run(runner: Vitest, { files, names, env, changed }: TestRequest): Promise<TestRun> {
  Object.assign(process.env, env);
  for (const file of changed) {
    runner.invalidateFile(join(folder, file));
    runner.watcher.invalidates.add(join(folder, file));
  }
  if (names === undefined) runner.resetGlobalTestNamePattern();
  else runner.setGlobalTestNamePattern(names);
  collector.run = { passed: [] };
  const specifications = await runner.globTestSpecifications([...files]);
  if (specifications.length > 0) await runner.runTestSpecifications(specifications);
  return collector.run;
}
