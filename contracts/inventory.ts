// How people name a volume besides its id: its VM and its labels; and how a listing filters by
// them.
import { z } from 'zod';
import { invalidField, type MoverError } from './errors.js';
import { applianceIdSchema, groupIdSchema, splitterIdSchema, volumeIdSchema } from './ids.js';
import { bytesSchema } from './numbers.js';

/** Longest VM name. Hypervisors use fewer than 100 characters. */
const VM_LENGTH_MAX = 200;
/** Labels of one volume. They are in memory for every volume and in each listing. */
const LABELS_PER_VOLUME_MAX = 16;
const LABEL_KEY_LENGTH_MAX = 63;
const LABEL_VALUE_LENGTH_MAX = 63;
const NAME_PATTERN_LENGTH_MAX = 200;
/** Length of a query for as many labels as one volume may have, in the form of `labelsQuery`. */
const LABELS_QUERY_LENGTH_MAX = LABELS_PER_VOLUME_MAX * (LABEL_KEY_LENGTH_MAX + LABEL_VALUE_LENGTH_MAX + 2);

// Lists control characters by number: the regular expressions of many languages lack \p{Cc}.
// oxlint-disable-next-line no-control-regex -- to be refused
const NO_CONTROLS = /^[^\x00-\x1f\x7f-\x9f]*$/;

export const vmSchema = z
  .string()
  .min(1, 'at least one character')
  .max(VM_LENGTH_MAX, `at most ${VM_LENGTH_MAX} characters`)
  .regex(NO_CONTROLS, 'no control characters');

const LABEL_KEY = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/;
// oxlint-disable-next-line no-control-regex -- to be refused
const LABEL_VALUE = /^[^\x00-\x1f\x7f-\x9f,]*$/;
const LABEL_KEY_FORM = `a label's name is 1 to ${LABEL_KEY_LENGTH_MAX} letters, digits, ".", "_", "/" and "-", starting with a letter or digit`;
const LABEL_VALUE_FORM = `a label's value has at most ${LABEL_VALUE_LENGTH_MAX} characters, no comma and no control character`;

export const labelsSchema = z
  .record(
    z.string().max(LABEL_KEY_LENGTH_MAX, LABEL_KEY_FORM).regex(LABEL_KEY, LABEL_KEY_FORM),
    z.string().max(LABEL_VALUE_LENGTH_MAX, LABEL_VALUE_FORM).regex(LABEL_VALUE, LABEL_VALUE_FORM),
  )
  .refine((labels) => Object.keys(labels).length <= LABELS_PER_VOLUME_MAX, `at most ${LABELS_PER_VOLUME_MAX} labels`);
export type Labels = Readonly<Record<string, string>>;

/** Filters of a volume listing. A volume must match all that are given. */
export const volumeFilterFields = {
  group: groupIdSchema.optional(),
  volume: volumeIdSchema.optional(),
  vm: vmSchema.optional(),
  /** A pattern for the volume's id: `*` stands for any characters, `?` for one. */
  namePattern: z.string().min(1).max(NAME_PATTERN_LENGTH_MAX).optional(),
  /** Labels that must match, as `tier=gold,app=db`; written by `labelsQuery`. */
  labels: z.string().min(1).max(LABELS_QUERY_LENGTH_MAX).optional(),
};

/** The fields of a volume that need no access to its journal. */
export const inventoryVolumeSchema = z.strictObject({
  volume: volumeIdSchema,
  splitter: splitterIdSchema,
  sizeBytes: bytesSchema,
  group: groupIdSchema,
  /** The appliance of its group. */
  appliance: applianceIdSchema,
  vm: vmSchema.optional(),
  labels: labelsSchema.optional(),
});
export type InventoryVolume = z.infer<typeof inventoryVolumeSchema>;

/**
 * Writes labels in the form that a listing's `labels` filter takes.
 * @throws MoverError INVALID_REQUEST for a name or value that no volume can have
 */
export function labelsQuery(labels: Labels): string {
  const checked = labelsSchema.safeParse(labels);
  if (!checked.success) throw refused(checked.error.issues.map(({ message }) => message).join('; '));
  return Object.entries(checked.data)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Reads the labels of a listing's `labels` filter. @throws MoverError INVALID_REQUEST */
export function labelsOfQuery(query: string): Labels {
  const pairs = query.split(',').map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw refused(`"${pair}" is not a label: give name=value, several separated by commas`);
    return [pair.slice(0, at), pair.slice(at + 1)] as const;
  });
  const checked = labelsSchema.safeParse(Object.fromEntries(pairs));
  if (!checked.success) throw refused(checked.error.issues.map(({ message }) => message).join('; '));
  return checked.data;
}

function refused(message: string): MoverError {
  return invalidField('labels', message);
}
