// The replica site's one operation that answers bytes: declared once, for its server and its
// OpenAPI document.
import { z } from 'zod';
import { IMAGE_READ_BYTES_MAX, IMAGE_READ_PATH, IMAGE_READ_ROLES } from '../../contracts/replica-site-api.js';
import { binaryRoute, type BinaryRoute } from './binary-route.js';
import type { CallContext } from './handlers.js';

const imageReadSchema = z.strictObject({
  image: z.string(),
  /** Bytes from the start of the volume. */
  offset: z.coerce.number().int().min(0),
  /** Bytes. */
  length: z.coerce.number().int().min(1).max(IMAGE_READ_BYTES_MAX),
});

export type ImageRead = z.output<typeof imageReadSchema>;

export function imageReadRoute(read: (range: ImageRead, context: CallContext) => Promise<Buffer>): BinaryRoute {
  return binaryRoute({
    name: 'readImage',
    path: IMAGE_READ_PATH,
    roles: IMAGE_READ_ROLES,
    summary: 'Bytes of an open image, exactly as many as asked for.',
    input: imageReadSchema,
    read,
  });
}
