// Rules by which a new volume finds its group: the labels of the volume decide. A pure function of
// the rules and the labels, so that every process that reads one file finds the same group.
import { z } from 'zod';
import { type GroupId, groupIdSchema } from './ids.js';
import { type Labels, labelsSchema } from './inventory.js';

/** One rule: a volume that has all these labels starts in the group. */
export const protectRuleSchema = z.strictObject({
  match: labelsSchema.refine((match) => Object.keys(match).length > 0, 'at least one label'),
  group: groupIdSchema,
});
export type ProtectRule = z.infer<typeof protectRuleSchema>;

/** The group that the rules give to labels, or a sentence that says why there is none. */
export type Placement = { readonly group: GroupId } | { readonly refusal: string };

/**
 * Finds the one group that the matching rules name. The order of the rules does not count: two that
 * match and name different groups place nothing.
 */
export function placementOf(rules: readonly ProtectRule[], labels: Labels = {}): Placement {
  const matching = rules.filter(({ match }) => Object.entries(match).every(([name, value]) => labels[name] === value));
  const [group, ...others] = new Set(matching.map((rule) => rule.group));
  if (group === undefined)
    return { refusal: 'has no group, and no rule of "protect" matches its labels: give it a group' };
  if (others.length === 0) return { group };
  const named = [group, ...others].map((each) => `"${each}"`).join(', ');
  return { refusal: `has no group, and rules of "protect" that match its labels name several, ${named}: give it one` };
}
