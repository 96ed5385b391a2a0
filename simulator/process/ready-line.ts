// The line of JSON that a process prints on stdout once it serves: tells a launcher the ports
// chosen.
import { z } from 'zod';

export const readyLineSchema = z.strictObject({
  ready: z.literal(true),
  role: z.enum(['splitter', 'appliance', 'replica-site']),
  id: z.string(),
  /** Base URL of the control API. */
  url: z.url(),
  /** NBD addresses, if the process serves NBD: TCP, and a unix socket's path. */
  nbd: z.strictObject({ host: z.string(), port: z.number().int(), socket: z.string().optional() }).optional(),
});
export type ReadyLine = z.infer<typeof readyLineSchema>;
