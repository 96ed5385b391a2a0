// The search attributes of a move or batch, typed for Temporal: set by who starts it, and by the workflow as it goes.
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { MoveInput } from '../contracts/move.js';
import type { StoredMoveReport } from '../contracts/report.js';
import { keywordOf, listThatFits, type SearchStage } from '../contracts/search-attributes.js';

export const SEARCH_KEYS = {
  Volumes: defineSearchAttributeKey('Volumes', 'KEYWORD_LIST'),
  FromGroup: defineSearchAttributeKey('FromGroup', 'KEYWORD'),
  ToGroup: defineSearchAttributeKey('ToGroup', 'KEYWORD'),
  Stage: defineSearchAttributeKey('Stage', 'KEYWORD'),
  Outcome: defineSearchAttributeKey('Outcome', 'KEYWORD'),
  BatchId: defineSearchAttributeKey('BatchId', 'KEYWORD'),
} as const;

/** What is known of a move before it runs; its workflow sets what its starter left out. */
export function attributesAtStart({
  volume,
  volumes,
  to,
  batch,
}: Pick<MoveInput, 'volume' | 'volumes' | 'to' | 'batch'>): SearchAttributePair[] {
  const names = volumes ?? (volume === undefined ? [] : [volume]);
  return [
    { key: SEARCH_KEYS.Volumes, value: listThatFits(names) },
    { key: SEARCH_KEYS.ToGroup, value: keywordOf(to) },
    stageAttribute('planning'),
    ...(batch === undefined ? [] : [{ key: SEARCH_KEYS.BatchId, value: keywordOf(batch.batch) }]),
  ];
}

export function stageAttribute(stage: SearchStage): SearchAttributePair {
  return { key: SEARCH_KEYS.Stage, value: stage };
}

export function fromGroupAttribute(group: string): SearchAttributePair {
  return { key: SEARCH_KEYS.FromGroup, value: keywordOf(group) };
}

export function outcomeAttributes(outcome: StoredMoveReport['outcome']): SearchAttributePair[] {
  return [{ key: SEARCH_KEYS.Outcome, value: outcome }, stageAttribute(outcome === 'moved' ? 'done' : 'failed')];
}
