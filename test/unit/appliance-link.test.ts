// The appliance's throttled link: whoever is told to wait is told when there is room.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Link } from '../../simulator/appliance/link.js';

const BYTES_PER_SECOND = 1_000_000;
const FRAME_BYTES = 1_000;

/** What the link's clock says next; each look takes a while, as on a machine that is busy. */
let nowMs = 0;

beforeEach(() => {
  nowMs = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 0.6));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Sends as the relay does: it notes that it waits once the link has answered. */
class Sender {
  waits = false;
  readonly #link: Link;

  constructor(link: Link) {
    this.#link = link;
  }

  readonly onRoom = (): void => void (this.waits = false);
  readonly onCut = (): void => undefined;

  send(): void {
    if (!this.#link.sent(this, FRAME_BYTES)) this.waits = true;
  }
}

test('a sender goes on although the link gets room while it answers that there is none', () => {
  const link = new Link();
  link.set({ cut: false, bytesPerSecond: BYTES_PER_SECOND });
  const sender = new Sender(link);
  let waited = 0;
  for (let frames = 0; frames < 1_000; frames += 1) {
    sender.send();
    if (!sender.waits) continue;
    waited += 1;
    vi.runAllTimers();
    expect(sender.waits, `after ${frames} frames`).toBe(false);
  }
  expect(waited).toBeGreaterThan(0);
  link.stop();
});
