// Bugs of the journal: DO, UNDO, the replica image, and what is consolidated.
import type { Room } from '../bug.js';

const JOURNAL = 'simulator/replica-site/journal/volume-journal.ts';
const DISTRIBUTOR = 'simulator/replica-site/journal/distributor.ts';
const APPENDER = 'simulator/replica-site/journal/do/appender.ts';
const BATCH = 'simulator/replica-site/journal/do/batch.ts';
const RETENTION = 'simulator/replica-site/journal/retention.ts';
const SESSIONS = 'simulator/replica-site/journal/manifest/sessions.ts';
const UNDO_LOG = 'simulator/replica-site/journal/undo/undo-log.ts';
const UNDO_INDEX = 'simulator/replica-site/journal/undo/undo-index.ts';
const UNDO_BYTES = 'simulator/replica-site/journal/undo/undo-bytes.ts';
const CONSOLIDATION = 'simulator/replica-site/journal/undo/consolidation.ts';
const PLAN = 'simulator/replica-site/journal/undo/segment-plan.ts';
const LOSS = 'simulator/replica-site/journal/undo/history-loss.ts';
const IMAGE = 'simulator/replica-site/journal/images/image.ts';
const DAMAGE = 'simulator/replica-site/journal/terms/damage.ts';

export const journal: Room = {
  name: 'journal',
  tests: ['test/unit/journal-', 'test/property/journal-model', 'test/property/journal-damage', 'test/property/history'],
  simulated: false,
  bugs: [
    {
      id: 'journal/image-before-undo',
      file: DISTRIBUTOR,
      find: '      const covered = undo.append(changes);\n      if (sync) await undo.commit();\n      if (images.count > 0) images.publish(covered());\n      try {\n        await this.#apply({ batch, changes });',
      replace:
        '      try {\n        await this.#apply({ batch, changes });\n        const covered = undo.append(changes);\n        if (sync) await undo.commit();\n        if (images.count > 0) images.publish(covered());',
      breaks: 'A crash leaves bytes in the replica image whose old content is nowhere.',
      kind: 'wrong order',
    },
    {
      id: 'journal/undo-published-late',
      file: DISTRIBUTOR,
      find: '      if (images.count > 0) images.publish(covered());\n      try {\n        await this.#apply({ batch, changes });',
      replace:
        '      try {\n        await this.#apply({ batch, changes });\n        if (images.count > 0) images.publish(covered());',
      breaks: 'An open image shows bytes that are newer than its point.',
      kind: 'wrong order',
    },
    {
      id: 'journal/undo-not-synced',
      file: DISTRIBUTOR,
      find: '      if (sync) await undo.commit();\n',
      replace: '',
      breaks: 'A power cut takes UNDO whose record is in the replica image.',
      kind: 'forgotten change',
    },
    {
      id: 'journal/end-of-image-not-stored',
      file: DISTRIBUTOR,
      find: '      await this.#storeEnd(changes);\n',
      replace: '',
      breaks: 'After a restart blocks beyond the stored end count as never written: UNDO says zeroes.',
      kind: 'forgotten change',
    },
    {
      id: 'journal/unapplied-segment-deleted',
      file: DISTRIBUTOR,
      find: 'segment.lastPosition > applied || segment === growing);',
      replace: 'segment.firstPosition > applied || segment === growing);',
      breaks: 'A segment of DO is deleted before all of it is applied.',
      kind: 'wrong value',
    },
    {
      id: 'journal/growing-segment-deleted',
      file: DISTRIBUTOR,
      find: 'growing !== undefined && growing.lastPosition <= applied && growing.bytes >= growingBytes;',
      replace: 'growing !== undefined && growing.bytes >= growingBytes;',
      breaks: 'Records that are durable and not applied yet are deleted.',
      kind: 'missing guard',
    },
    {
      id: 'journal/reach-not-noted',
      file: DISTRIBUTOR,
      find: '    this.#mark.write({ position: last?.position ?? this.#applied.position, done });\n',
      replace: '    if (last === undefined) this.#mark.write({ position: this.#applied.position, done });\n',
      breaks: 'UNDO that lost its end is not noticed: old data is read from an image that is newer.',
      kind: 'inverted guard',
    },
    {
      id: 'journal/session-not-stored-first',
      file: APPENDER,
      find: 'if (first.isInManifest || this.#manifest.isBehind) await this.#manifest.save();',
      replace: 'if (this.#manifest.isBehind) await this.#manifest.save();',
      breaks: 'After a crash nobody knows where a session began: its cuts have no positions.',
      kind: 'forgotten field',
    },
    {
      id: 'journal/refused-records-keep-their-place',
      file: APPENDER,
      find: '    this.#appended = this.#durable;\n    const',
      replace: '    const',
      breaks: 'After a full disk the next record leaves a gap in the positions.',
      kind: 'forgotten change',
    },
    {
      id: 'journal/durable-before-written',
      file: APPENDER,
      find: '    await this.#log.commit();\n    const { session, n, timeMs } = last.record;\n    this.#durable = { position: last.position, session, n, timeMs };',
      replace:
        '    const { session, n, timeMs } = last.record;\n    this.#durable = { position: last.position, session, n, timeMs };\n    await this.#log.commit();',
      breaks: 'A record is called durable before it is synced.',
      kind: 'wrong order',
    },
    {
      id: 'journal/overlap-in-a-batch-reads-zeroes',
      file: BATCH,
      find: '    if (data !== undefined) this.#writtenEnd = Math.max(this.#writtenEnd, blockCeiling(offset + length));\n',
      replace: '',
      breaks: 'The second write of a new block in one batch has zeroes as its old content.',
      kind: 'forgotten change',
    },
    {
      id: 'journal/reads-beyond-durable',
      file: BATCH,
      find: '      if (header.position > this.#source.upTo) return;\n',
      replace: '      if (header.position > this.#source.upTo + 1) return;\n',
      breaks: 'A record is applied before it is durable.',
      kind: 'off by one',
      equivalent: 'A batch has ended with the record at the limit, before the header after it is looked at.',
    },
    {
      id: 'journal/retained-not-rolled-back',
      file: RETENTION,
      find: '      Object.assign(manifest, before);\n',
      replace: '',
      breaks: 'A position counts as dropped though that could not be stored.',
      kind: 'forgotten change',
    },
    {
      id: 'journal/retires-what-is-retained',
      file: RETENTION,
      find: 'let freedBytes = undo.retire(manifest.trimPosition);',
      replace: 'let freedBytes = undo.retire(asked.everyFrom);',
      breaks: 'UNDO of retained single positions is deleted.',
      kind: 'wrong value',
    },
    {
      id: 'journal/session-begins-one-late',
      file: SESSIONS,
      find: 'if ((this.#order[middle]?.base ?? 0) < position) low = middle + 1;',
      replace: 'if ((this.#order[middle]?.base ?? 0) <= position) low = middle + 1;',
      breaks: 'The last record of a session is taken for one of the next session.',
      kind: 'off by one',
    },
    {
      id: 'journal/empty-session-remembered',
      file: SESSIONS,
      find: 'last !== undefined && last.base >= base; last',
      replace: 'last !== undefined && last.base > base; last',
      breaks: 'A session without a durable record claims positions that another one takes.',
      kind: 'off by one',
    },
    {
      id: 'journal/half-needed-segment-retired',
      file: UNDO_LOG,
      find: '  #takeOut(position: number): readonly Segment[] {\n    const keep = this.#log.segments.findIndex((segment) => segment.lastPosition > position);',
      replace:
        '  #takeOut(position: number): readonly Segment[] {\n    const keep = this.#log.segments.findIndex((segment) => segment.firstPosition > position);',
      breaks: 'A segment of UNDO goes though its last records are needed.',
      kind: 'wrong value',
    },
    {
      id: 'journal/file-of-open-image-deleted',
      file: UNDO_LOG,
      find: 'openedAt < retirement && position < segment.lastPosition);',
      replace: 'openedAt < retirement && position < segment.firstPosition);',
      breaks: 'The UNDO that an open image still reads is deleted.',
      kind: 'wrong value',
    },
    {
      id: 'journal/own-record-taken-back',
      file: UNDO_INDEX,
      find: 'if ((this.#positions[middle] ?? 0) <= position) low = middle + 1;',
      replace: 'if ((this.#positions[middle] ?? 0) < position) low = middle + 1;',
      breaks: 'An image lacks the last write of its point.',
      kind: 'off by one',
    },
    {
      id: 'journal/costs-counted-twice',
      file: UNDO_BYTES,
      find: 'totals[index] = (totals[index] ?? 0) + upTo - counted;',
      replace: 'totals[index] = (totals[index] ?? 0) + upTo;',
      breaks: 'Points seem to cost more than they do: a group drops history for nothing.',
      kind: 'forgotten field',
    },
    {
      id: 'journal/first-position-not-kept',
      file: CONSOLIDATION,
      find: 'return { needed: this.#start >= 0, extents: this.#extents };',
      replace: 'return { needed: this.#start > 0, extents: this.#extents };',
      breaks: 'The empty disk before the first write can not be opened any more.',
      kind: 'off by one',
    },
    {
      id: 'journal/one-interval-for-all',
      file: CONSOLIDATION,
      find: 'if (start !== this.#start) this.#extents = new ExtentMap();',
      replace: 'if (start < this.#start) this.#extents = new ExtentMap();',
      breaks: 'UNDO that a later retained position needs is dropped, since an earlier one has its own.',
      kind: 'wrong side',
    },
    {
      id: 'journal/consolidates-what-must-stay-whole',
      file: CONSOLIDATION,
      find: 'segment.lastPosition <= retained.everyFrom);',
      replace: 'segment.firstPosition <= retained.everyFrom);',
      breaks: 'Positions that must all stay openable lose their UNDO.',
      kind: 'wrong value',
      equivalent: 'A visit passes over each segment that reaches beyond everyFrom, so that it is only planned in vain.',
    },
    {
      id: 'journal/covers-one-byte-too-few',
      file: PLAN,
      find: '  if (at < end) ranges.push({ offset: at, length: end - at });\n  return ranges;',
      replace: '  if (at < end - 1) ranges.push({ offset: at, length: end - at });\n  return ranges;',
      breaks: 'The old content of a single byte is dropped.',
      kind: 'off by one',
    },
    {
      id: 'journal/lost-history-still-offered',
      file: LOSS,
      find: 'everyFrom: Math.max(everyFrom, before),',
      replace: 'everyFrom,',
      breaks: 'A position whose UNDO is damaged is offered, and opens with wrong bytes.',
      kind: 'missing guard',
    },
    {
      id: 'journal/overlay-read-first',
      file: IMAGE,
      find: '    const damaged = await this.#source.replica.readLater(wideBytes, wideFrom);\n    const extents = this.#overlay.within(offset, end);',
      replace:
        '    const extents = this.#overlay.within(offset, end);\n    const damaged = await this.#source.replica.readLater(wideBytes, wideFrom);',
      breaks: 'A read of an image that meets distribution returns newer bytes.',
      kind: 'wrong order',
    },
    {
      id: 'journal/undo-while-loading-lost',
      file: IMAGE,
      find: '    else this.#waiting.push(index);',
      replace: '    else if (this.#waiting.length > 0) this.#waiting.push(index);',
      breaks: 'UNDO that is written while an image is being opened is missing in it.',
      kind: 'missing guard',
    },
    {
      id: 'journal/unapplied-changes-forgotten',
      file: JOURNAL,
      find: '    await this.whenApplied(this.durable.position, signal);\n    const { retained }',
      replace: '    const { retained }',
      breaks: 'A splitter is not told of regions whose records wait for distribution.',
      kind: 'missing await',
    },
    {
      id: 'journal/changes-since-a-dropped-position',
      file: JOURNAL,
      find: 'const from = position >= retained.everyFrom ? position : intervalStart(retained, position + 1);',
      replace: 'const from = position;',
      breaks: 'Regions whose UNDO was consolidated away do not count as changed.',
      kind: 'missing guard',
    },
    {
      id: 'journal/opened-before-applied',
      file: JOURNAL,
      find: '    await this.whenApplied(position, signal);\n    for (;;) {',
      replace: '    for (;;) {',
      breaks: 'A new point opens with the state before its writes.',
      kind: 'missing await',
    },
    {
      id: 'journal/loss-ends-one-early',
      file: DAMAGE,
      find: 'if (sound > damage.after && sound <= damage.upTo) sound = damage.after;',
      replace: 'if (sound > damage.after && sound < damage.upTo) sound = damage.after;',
      breaks: 'The last lost record counts as sound.',
      kind: 'off by one',
    },
    {
      id: 'journal/whole-one-late',
      file: DAMAGE,
      find: 'return position > damage.after && (damage.wholeFrom === undefined || position < damage.wholeFrom);',
      replace: 'return position > damage.after && (damage.wholeFrom === undefined || position <= damage.wholeFrom);',
      breaks: 'The first whole position after a loss is refused.',
      kind: 'off by one',
    },
  ],
};
