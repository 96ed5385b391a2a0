// What a failure tells a person to do: one thing, that fits.
import { expect, test } from 'vitest';
import { describeFailure } from '../../client/cli/output.js';
import { MoverError, type Reason } from '../../contracts/errors.js';

const none: Reason = { code: 'VOLUME_NOT_FOUND', subject: 'vm-9', message: 'there is no volume "vm-9"' };
const there: Reason = { code: 'ALREADY_THERE', subject: 'vm-1', message: 'volume "vm-1" is there already' };

test('reasons of several kinds stand with their own advice, and nothing contradicts it', () => {
  const error = new MoverError('MOVE_REFUSED', 'The move cannot be made.', { reasons: [none, there] });
  expect(describeFailure(error)).toBe(
    [
      'volume-mover: The move cannot be made. (MOVE_REFUSED)',
      '  - there is no volume "vm-9" (VOLUME_NOT_FOUND)',
      '    What to do: List the volumes with: volume-mover volumes',
      '  - volume "vm-1" is there already (ALREADY_THERE)',
      '    What to do: Nothing to do.',
    ].join('\n'),
  );
});

test('reasons of one kind have one advice, which is theirs', () => {
  const error = new MoverError('MOVE_REFUSED', 'The move cannot be made.', { reasons: [there] });
  expect(describeFailure(error).match(/What to do/g)).toHaveLength(1);
  expect(describeFailure(error)).toContain('What to do: Nothing to do.');
});

test('a sentence that names a command has no second advice, and the command can be copied whole', () => {
  const error = new MoverError(
    'MOVE_NOT_FOUND',
    '"b" is not a move; it is a batch. To see it: volume-mover batch status b',
  );
  expect(describeFailure(error)).toBe(
    [
      'volume-mover: "b" is not a move; it is a batch. (MOVE_NOT_FOUND)',
      '  To see it: volume-mover batch status b',
    ].join('\n'),
  );
});
