// Credit between a splitter and the replica site over streams that are slow, break, and deliver
// late: nothing waits for ever, and what the site holds of a volume stays within its bounds, also
// when the sender ignores what it was granted.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VolumeCredit } from '../../simulator/replica-site/core/volume-credit.js';
import { CreditAccount, RECORD_COST_BYTES } from '../../simulator/stream/credit.js';

const DO_HEADER_BYTES = 64;
const WINDOW_BYTES = 16 * 1024;
const UNAPPLIED_BYTES_MAX = 64 * 1024;
/** Some records are larger than any window. */
const RECORD_BYTES_MAX = 3 * UNAPPLIED_BYTES_MAX;

type Up =
  | { readonly kind: 'attach' }
  | { readonly kind: 'record'; readonly n: number; readonly bytes: number }
  | { readonly kind: 'close' };
type Down =
  | { readonly kind: 'attached' | 'receipt'; readonly n: number }
  | { readonly kind: 'credit'; readonly grantedBytes: number }
  | { readonly kind: 'refused'; readonly code: string };

/** One stay of the volume on a stream, with what is on its way in either direction. */
class Attachment {
  readonly up: Up[] = [{ kind: 'attach' }];
  readonly down: Down[] = [];
}

class Site {
  readonly credit = new VolumeCredit<Attachment>({
    windowBytes: WINDOW_BYTES,
    unappliedBytesMax: UNAPPLIED_BYTES_MAX,
  });
  accepted = 0;
  durable = 0;
  readonly unwritten: number[] = [];
  readonly unapplied: number[] = [];
  largestBytes = 0;

  receive(from: Attachment, message: Up): void {
    if (message.kind === 'attach') {
      this.credit.add(from);
      from.down.push({ kind: 'attached', n: this.durable });
    } else if (message.kind === 'close') this.credit.remove(from);
    else if ([...this.credit.attachments].includes(from)) this.#take(from, message.n, message.bytes);
    this.#grant();
  }

  #take(from: Attachment, n: number, bytes: number): void {
    const code = this.credit.take(from, RECORD_COST_BYTES + bytes)
      ? n > this.accepted + 1
        ? 'WRITE_GAP'
        : undefined
      : 'CREDIT_EXCEEDED';
    if (code !== undefined) {
      this.credit.remove(from);
      from.down.push({ kind: 'refused', code });
    } else if (n === this.accepted + 1) {
      this.accepted = n;
      this.unwritten.push(DO_HEADER_BYTES + bytes);
      this.largestBytes = Math.max(this.largestBytes, bytes);
    } else from.down.push({ kind: 'receipt', n: this.durable });
  }

  write(records: number): void {
    const written = this.unwritten.splice(0, records);
    this.durable += written.length;
    this.unapplied.push(...written);
    for (const attachment of this.credit.attachments) attachment.down.push({ kind: 'receipt', n: this.durable });
    this.#grant();
  }

  apply(records: number): void {
    this.unapplied.splice(0, records);
    this.#grant();
  }

  #grant(): void {
    const due = this.credit.next({ unwrittenBytes: this.#inMemory(), unappliedBytes: this.#inAll() });
    due?.to.down.push({ kind: 'credit', grantedBytes: due.grantedBytes });
  }

  check(): void {
    expect(this.#inMemory()).toBeLessThanOrEqual(WINDOW_BYTES + RECORD_COST_BYTES + this.largestBytes);
    expect(this.#inAll()).toBeLessThanOrEqual(UNAPPLIED_BYTES_MAX + RECORD_COST_BYTES + this.largestBytes);
  }

  #inMemory(): number {
    return sum(this.unwritten) + this.unwritten.length * (RECORD_COST_BYTES - DO_HEADER_BYTES);
  }

  #inAll(): number {
    return sum(this.unwritten) + sum(this.unapplied);
  }
}

class Sender {
  readonly records: number[] = [];
  readonly honest: boolean;
  attachment = new Attachment();
  /** Stays that are over for it, and not for what is still on its way. */
  readonly left: Attachment[] = [];
  readonly refusals: string[] = [];
  /**
   * An attachment arrived after it was over, perhaps after the one that came after it: the site
   * takes it for the newest.
   */
  overtaken = false;
  #account = new CreditAccount();
  #attached = false;
  #next = 1;
  confirmed = 0;

  constructor(honest: boolean) {
    this.honest = honest;
  }

  send(): boolean {
    const bytes = this.records[this.#next - 1];
    if (!this.#attached || bytes === undefined || (this.honest && !this.#account.isOpen)) return false;
    this.attachment.up.push({ kind: 'record', n: this.#next, bytes });
    this.#account.spend(RECORD_COST_BYTES + bytes);
    this.#next += 1;
    return true;
  }

  hear(message: Down): void {
    switch (message.kind) {
      case 'attached':
        this.#attached = true;
        this.confirmed = Math.max(this.confirmed, message.n);
        this.#next = this.confirmed + 1;
        return;
      case 'receipt':
        this.confirmed = Math.max(this.confirmed, message.n);
        this.#next = Math.max(this.#next, this.confirmed + 1);
        return;
      case 'credit':
        this.#account.grant(message.grantedBytes);
        return;
      case 'refused':
        this.refusals.push(message.code);
        this.attachAnew();
    }
  }

  attachAnew(): void {
    this.attachment.up.push({ kind: 'close' });
    this.left.push(this.attachment);
    this.attachment = new Attachment();
    this.#account = new CreditAccount();
    this.#attached = false;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * Whatever is on its way arrives, everything is written and applied, again and again.
 * @returns whether all became durable.
 */
function settles(sender: Sender, site: Site): boolean {
  for (let round = 0; round < 20 * (sender.records.length + 2); round += 1) {
    for (const from of [...sender.left, sender.attachment])
      for (const message of from.up.splice(0)) {
        sender.overtaken ||= round === 0 && message.kind === 'attach' && from !== sender.attachment;
        site.receive(from, message);
        site.check();
      }
    site.write(Number.MAX_SAFE_INTEGER);
    site.apply(Number.MAX_SAFE_INTEGER);
    const { attachment } = sender;
    for (const message of attachment.down.splice(0)) if (sender.attachment === attachment) sender.hear(message);
    while (sender.send());
    if (sender.confirmed === sender.records.length) return true;
  }
  return false;
}

interface Step {
  readonly kind: 'number' | 'send' | 'deliver' | 'deliverLate' | 'hear' | 'write' | 'apply' | 'break';
  readonly count: number;
  /** Bytes of data of the records that are numbered. */
  readonly bytes: number;
}

const stepOf = (weight: number, ...kinds: readonly Step['kind'][]) => ({
  weight,
  arbitrary: fc.record({
    kind: fc.constantFrom(...kinds),
    count: fc.integer({ min: 1, max: 4 }),
    bytes: fc.oneof(fc.integer({ min: 0, max: 4_096 }), fc.integer({ min: 0, max: RECORD_BYTES_MAX })),
  }),
});
const steps = fc.array(
  fc.oneof(
    stepOf(3, 'number'),
    stepOf(6, 'send', 'deliver', 'hear', 'write'),
    stepOf(2, 'apply'),
    stepOf(1, 'deliverLate'),
    stepOf(1, 'break'),
  ),
  { maxLength: 120, size: 'max' },
);

function take(sender: Sender, site: Site, { kind, count, bytes }: Step): void {
  const { attachment } = sender;
  switch (kind) {
    case 'number':
      for (let i = 0; i < count; i += 1) sender.records.push(bytes);
      return;
    case 'send':
      for (let i = 0; i < count; i += 1) sender.send();
      return;
    case 'deliver':
      for (const message of attachment.up.splice(0, count)) site.receive(attachment, message);
      return;
    case 'deliverLate': {
      const from = sender.left[count % Math.max(1, sender.left.length)];
      const [message] = from?.up.splice(0, 1) ?? [];
      if (from === undefined || message === undefined) return;
      sender.overtaken ||= message.kind === 'attach';
      site.receive(from, message);
      return;
    }
    case 'hear':
      for (const message of attachment.down.splice(0, count))
        if (sender.attachment === attachment) sender.hear(message);
      return;
    case 'write':
      site.write(count);
      return;
    case 'apply':
      site.apply(count);
      return;
    case 'break':
      sender.attachAnew();
  }
}

function run(taken: readonly Step[], honest: boolean): { readonly sender: Sender; readonly site: Site } {
  const site = new Site();
  const sender = new Sender(honest);
  for (const step of taken) {
    take(sender, site, step);
    site.check();
  }
  return { sender, site };
}

test('a sender that keeps to its credit is never refused for it, nothing waits for ever, and the site stays within its bounds', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const { sender, site } = run(taken, true);
      expect(settles(sender, site)).toBe(true);
      if (!sender.overtaken) expect(sender.refusals).not.toContain('CREDIT_EXCEEDED');
    }),
    { numRuns: 1_000 },
  );
});

test('a sender that ignores its credit is refused before the site exceeds its bounds', () => {
  const refusals: string[] = [];
  fc.assert(
    fc.property(steps, (taken) => {
      refusals.push(...run(taken, false).sender.refusals);
    }),
    { numRuns: 1_000 },
  );
  expect(refusals).toContain('CREDIT_EXCEEDED');
});

test('a volume of which nothing is applied stops at its limit after few grants, and goes on once much is applied', () => {
  const { sender, site } = run([], true);
  sender.records.push(...Array.from({ length: 200 }, () => 1_024));
  const move = (): number => {
    const { attachment } = sender;
    for (const message of attachment.up.splice(0)) site.receive(attachment, message);
    site.write(Number.MAX_SAFE_INTEGER);
    const heard = attachment.down.splice(0);
    for (const message of heard) sender.hear(message);
    while (sender.send());
    return heard.filter(({ kind }) => kind === 'credit').length;
  };
  let told = 0;
  for (let i = 0; i < 50; i += 1) told += move();
  expect(site.credit.isSpent).toBe(true);
  expect(sum(site.unapplied)).toBeGreaterThan(UNAPPLIED_BYTES_MAX - WINDOW_BYTES);
  expect(told).toBeLessThan(20);
  expect(move()).toBe(0);
  site.apply(1);
  expect(move()).toBe(0);
  site.apply(Number.MAX_SAFE_INTEGER);
  expect(site.credit.isSpent).toBe(false);
  expect(settles(sender, site)).toBe(true);
});
