// A page of ours in real Chromium: whether it can be read, and that it fetches nothing and nothing
// goes wrong in it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { type Browser, startBrowser } from '../support/browser.js';

const fitSchema = z.object({ overflow: z.number(), narrowestCell: z.number() });
const SCREENSHOTS = fileURLToPath(new URL('../../test-output/ui/', import.meta.url));

export class PageTestbed {
  readonly page: Page;
  /** Addresses of all that any page asked for. */
  readonly fetched: string[] = [];
  /** What pages threw or wrote to the console. */
  readonly errors: string[] = [];
  readonly #folder: string;
  readonly #browser: Browser;

  private constructor(folder: string, browser: Browser) {
    this.#folder = folder;
    this.#browser = browser;
    this.page = browser.page;
    this.page.on('request', (request) => this.fetched.push(request.url()));
    this.page.on('pageerror', (error) => this.errors.push(error.message));
    this.page.on('console', (message) => this.errors.push(message.text()));
  }

  static async start(): Promise<PageTestbed> {
    await mkdir(SCREENSHOTS, { recursive: true });
    return new PageTestbed(await mkdtemp(join(tmpdir(), 'vm-page-')), await startBrowser());
  }

  async stop(): Promise<void> {
    await this.#browser.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Opens it from a file, as its reader does. */
  async open(name: string, html: string): Promise<Page> {
    const path = join(this.#folder, `${name}.html`);
    await writeFile(path, html);
    await this.page.goto(pathToFileURL(path).href);
    return this.page;
  }

  /** Leaves a picture for people to look at. */
  async screenshot(name: string, { fullPage = false }: { readonly fullPage?: boolean } = {}): Promise<void> {
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage });
  }

  /** Makes the window as narrow as a telephone, or wide again. */
  async resize(width: number): Promise<void> {
    await this.page.setViewportSize({ width, height: 1_200 });
  }

  /** How far the page is wider than its window, and the narrowest cell of its tables, px. */
  async fit(): Promise<{ readonly overflow: number; readonly narrowestCell: number }> {
    const script = `({
      overflow: document.documentElement.scrollWidth - window.innerWidth,
      narrowestCell: Math.min(...[...document.querySelectorAll('td')].map((cell) => cell.offsetWidth).filter((width) => width > 0)),
    })`;
    return fitSchema.parse(await this.page.evaluate<unknown>(script));
  }

  /** What was asked for that is not a file, e.g. over the network. */
  get fetchedElsewhere(): string[] {
    return this.fetched.filter((url) => !url.startsWith('file:'));
  }

  /** Contrast to a card's ground, as WCAG 2.2 defines it: 1 to 21. */
  async contrastOf(selector: string, property: 'fill' | 'color'): Promise<number> {
    const [darker = 0, lighter = 0] = [
      luminanceOf(await this.#colorOf(selector, property)),
      luminanceOf(await this.#colorOf('.card', 'background-color')),
    ].toSorted((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  }

  async #colorOf(selector: string, property: string): Promise<number[]> {
    const script = `getComputedStyle(document.querySelector('${selector}')).getPropertyValue('${property}')`;
    const color = String(await this.page.evaluate<unknown>(script));
    return color.match(/\d+/g)?.map(Number) ?? [];
  }
}

function luminanceOf(rgb: readonly number[]): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
