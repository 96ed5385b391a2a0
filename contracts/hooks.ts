// Hooks of a worker: what it runs before the fence of a move.
import { z } from 'zod';
import { attemptRefSchema } from './attempt.js';
import { groupIdSchema, volumeIdSchema } from './ids.js';
import { durationMsSchema } from './numbers.js';

/** When a hook runs. */
const hookEventSchema = z.enum(['before-fence']);

/** Longest time for one hook, ms: less than a lease, which is renewed before each. */
export const HOOK_MS_MAX = 30_000;
const HOOK_MS_DEFAULT = 10_000;
const HOOKS_MAX = 20;

const isSafeUrl = (text: string): boolean => {
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname));
};

export const hookSchema = z
  .strictObject({
    /** The hook's name in refusals and logs. */
    name: z.string().min(1).max(100),
    on: hookEventSchema,
    /** A program with its arguments, without a shell. */
    command: z.array(z.string().min(1)).min(1).max(50).optional(),
    /** Or an address that is posted to. */
    url: z.url().refine(isSafeUrl, 'https, or http to this very host').optional(),
    /** Holds the header `authorization: Bearer …` for the address. Read anew for each call. */
    tokenFile: z.string().min(1).optional(),
    /** Time for the hook, ms; for one that freezes, from its start to the end of its thaw. */
    timeoutMs: durationMsSchema.min(100).max(HOOK_MS_MAX).default(HOOK_MS_DEFAULT),
    /** Whether it freezes applications until the fence is up. */
    freezes: z.boolean().default(false),
    /** `veto`: the move does not raise its fence when the hook fails. */
    onFailure: z.enum(['veto', 'go-on']).default('veto'),
    /** Only for moves out of these groups, or of these volumes. Absent: for all. */
    groups: z.array(groupIdSchema).min(1).optional(),
    volumes: z.array(volumeIdSchema).min(1).optional(),
  })
  .refine(({ command, url }) => (command === undefined) !== (url === undefined), {
    message: 'give either "command" or "url"',
    path: ['command'],
  });
export type Hook = z.infer<typeof hookSchema>;

export const hooksFileSchema = z.strictObject({ hooks: z.array(hookSchema).max(HOOKS_MAX) });

/** What a hook is told: as JSON to an address, as variables to a command. */
export const hookCallSchema = z.strictObject({
  event: hookEventSchema,
  attempt: attemptRefSchema,
  volumes: z.array(volumeIdSchema),
  from: groupIdSchema,
  to: groupIdSchema,
});
export type HookCall = z.infer<typeof hookCallSchema>;
