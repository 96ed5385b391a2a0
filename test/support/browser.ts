// Real Chromium, with a fresh profile, for the tests of pages and of the Temporal Web UI.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';
/** Headless, without what Chromium would fetch from elsewhere by itself. */
const ARGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** An administrator's window, so that nothing is folded away. */
const VIEWPORT = { width: 1600, height: 1200 };

export interface Browser {
  readonly page: Page;
  stop(): Promise<void>;
}

/** @throws Error when Chromium is not installed */
export async function startBrowser(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'vm-chromium-'));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: EXECUTABLE,
    args: ARGS,
    viewport: VIEWPORT,
  });
  return {
    page: context.pages()[0] ?? (await context.newPage()),
    stop: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}
