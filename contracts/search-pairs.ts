// The search attributes of a move or batch with their values, as plain data for Temporal's clients
// and workflows. The starter sets some, and the workflow sets the rest.
import type { MoveInput } from './move.js';
import type { StoredMoveReport } from './report.js';
import { keywordOf, listThatFits, type SearchAttributeName, type SearchStage } from './search-attributes.js';

interface SearchKey<Type extends string> {
  readonly name: SearchAttributeName;
  readonly type: Type;
}

/** One attribute with its value. */
export type SearchPair =
  | { readonly key: SearchKey<'KEYWORD'>; readonly value: string }
  | { readonly key: SearchKey<'KEYWORD_LIST'>; readonly value: string[] };

export const SEARCH_KEYS = {
  Volumes: { name: 'Volumes', type: 'KEYWORD_LIST' },
  FromGroup: keyword('FromGroup'),
  ToGroup: keyword('ToGroup'),
  Stage: keyword('Stage'),
  Outcome: keyword('Outcome'),
  BatchId: keyword('BatchId'),
} as const satisfies Record<SearchAttributeName, SearchKey<string>>;

/** Attributes known before a move runs. The workflow sets those that its starter left out. */
export function attributesAtStart({
  volume,
  volumes,
  to,
  batch,
}: Pick<MoveInput, 'volume' | 'volumes' | 'to' | 'batch'>): SearchPair[] {
  const names = volumes ?? (volume === undefined ? [] : [volume]);
  return [
    { key: SEARCH_KEYS.Volumes, value: listThatFits(names) },
    { key: SEARCH_KEYS.ToGroup, value: keywordOf(to) },
    stageAttribute('planning'),
    ...(batch === undefined ? [] : [{ key: SEARCH_KEYS.BatchId, value: keywordOf(batch.batch) }]),
  ];
}

/** Key of the memo of a workflow that hides names: true. */
export const HIDDEN_MEMO = 'hidesNames';

/** Attributes whose values are names of volumes and groups. */
const NAMING: ReadonlySet<string> = new Set<SearchAttributeName>(['Volumes', 'FromGroup', 'ToGroup']);

/** The attributes that name nothing. Temporal keeps all of them in clear, whatever the codec. */
export function withoutNames<Pair extends { readonly key: { readonly name: string } }>(pairs: readonly Pair[]): Pair[] {
  return pairs.filter(({ key }) => !NAMING.has(key.name));
}

export function stageAttribute(stage: SearchStage): SearchPair {
  return { key: SEARCH_KEYS.Stage, value: stage };
}

export function fromGroupAttribute(group: string): SearchPair {
  return { key: SEARCH_KEYS.FromGroup, value: keywordOf(group) };
}

export function outcomeAttributes(outcome: StoredMoveReport['outcome']): SearchPair[] {
  return [{ key: SEARCH_KEYS.Outcome, value: outcome }, stageAttribute(outcome === 'moved' ? 'done' : 'failed')];
}

function keyword(name: SearchAttributeName): SearchKey<'KEYWORD'> {
  return { name, type: 'KEYWORD' };
}
