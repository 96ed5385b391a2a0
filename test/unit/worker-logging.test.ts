// The SDK's lines as pino's.
import { type DestinationStream, pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { sdkLogger } from '../../workers/logging.js';

function lines(): { readonly stream: DestinationStream; readonly written: unknown[] } {
  const written: unknown[] = [];
  return { written, stream: { write: (line: string) => void written.push(JSON.parse(line)) } };
}

describe('a line of the SDK', () => {
  test('keeps its level, message and fields, and loses the time stamp that JSON cannot hold', () => {
    const { stream, written } = lines();
    sdkLogger(pino({ level: 'trace' }, stream), 'trace').info('hello', { workflowId: 'w', timestampNanos: 5n });
    expect(written).toMatchObject([{ level: 30, msg: 'hello', workflowId: 'w' }]);
    expect(written[0]).not.toHaveProperty('timestampNanos');
  });

  test('has its error with message and stack', () => {
    const { stream, written } = lines();
    sdkLogger(pino({ level: 'trace' }, stream), 'trace').error('it broke', { error: new Error('because') });
    expect(written).toMatchObject([{ level: 50, msg: 'it broke', err: { message: 'because', type: 'Error' } }]);
  });

  test('below the level is not written', () => {
    const { stream, written } = lines();
    const logger = sdkLogger(pino({ level: 'warn' }, stream), 'warn');
    logger.info('quiet');
    logger.warn('loud');
    expect(written).toHaveLength(1);
  });
});
