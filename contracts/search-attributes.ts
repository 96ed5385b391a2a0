// Temporal search attributes of moves and batches, for the UI and the API. They are registered once
// per namespace, and each worker checks them.
import type { MoveStage } from './move.js';

/** Each attribute's type, as `temporal operator search-attribute create` takes it. */
export const SEARCH_ATTRIBUTES = {
  /** The volumes of a move, as many as fit. */
  Volumes: 'KeywordList',
  FromGroup: 'Keyword',
  ToGroup: 'Keyword',
  /** A move's `SearchStage`, or a batch's own stage. */
  Stage: 'Keyword',
  /** How it ended; absent while it runs. */
  Outcome: 'Keyword',
  /** The id of a batch, on the batch and on each of its moves. */
  BatchId: 'Keyword',
} as const;
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/**
 * Coarse stage of a move: each change adds an event to its history. `flush` covers the wait for a
 * small lag and the drain behind the fence.
 */
export type SearchStage =
  | 'planning'
  | 'queued'
  | 'ready'
  | 'paused'
  | 'flush'
  | 'fenced'
  | 'rolling-back'
  | 'completing-forward'
  | 'waiting-to-retry'
  | 'verify'
  | 'done'
  | 'failed';

export function searchStageOf(stage: MoveStage): SearchStage {
  switch (stage) {
    case 'notify':
      return 'planning';
    case 'snapshot':
    case 'bookmark':
    case 'reconfigure':
      return 'fenced';
    case 'planning':
    case 'queued':
    case 'ready':
    case 'paused':
    case 'flush':
    case 'rolling-back':
    case 'completing-forward':
    case 'waiting-to-retry':
    case 'verify':
    case 'done':
    case 'failed':
      return stage;
  }
}

/**
 * Largest value of a list, bytes. The server refuses more than 2,048, and again at each retry of
 * the workflow task.
 */
const LIST_BYTES_MAX = 2_000;
/** Bytes that the server stores beside each list entry: quotes and comma. */
const ENTRY_BYTES = 3;
/** Characters of a keyword that a server on PostgreSQL or SQLite keeps. */
const KEYWORD_LENGTH_MAX = 255;

/**
 * The first entries that fit the server's limit. A move of 64 volumes with the longest ids has
 * more. Entries are ASCII.
 */
export function listThatFits(entries: readonly string[]): string[] {
  let bytes = 0;
  return entries.filter((entry) => (bytes += entry.length + ENTRY_BYTES) <= LIST_BYTES_MAX);
}

/** Cuts a keyword to the length that is stored; search for this form. */
export function keywordOf(text: string): string {
  return text.slice(0, KEYWORD_LENGTH_MAX);
}
