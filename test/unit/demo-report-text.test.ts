// What the demo's report says about a bookmark.
import { expect, test } from 'vitest';
import { cutText } from '../../estate/demo/report-text.js';

test('a bookmark without faults is one consistent state of the guest, one with faults is none', () => {
  expect(cutText({ written: 1_809, faults: 0 })).toBe('1809 blocks, one consistent state of the guest, 0 faults');
  expect(cutText({ written: 1_809, faults: 2 })).toBe('1809 blocks, no consistent state of the guest, 2 faults');
});
