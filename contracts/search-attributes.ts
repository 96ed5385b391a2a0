// What moves and batches can be searched by in Temporal, in the UI and by the API: registered in
// the namespace once, checked by each worker.
import type { MoveStage } from './move.js';

/** Name to type, as `temporal operator search-attribute create` takes them. */
export const SEARCH_ATTRIBUTES = {
  /** Every volume of a move, as many as fit. */
  Volumes: 'KeywordList',
  FromGroup: 'Keyword',
  ToGroup: 'Keyword',
  /** A `SearchStage` of a move; of a batch its own stage. */
  Stage: 'Keyword',
  /** How it ended; absent while it runs. */
  Outcome: 'Keyword',
  /** Of a batch and of each of its moves. */
  BatchId: 'Keyword',
} as const;
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/**
 * Where a move is, coarsely: each change is an event of its history. `flush` is the wait for small
 * lag and the drain behind the fence.
 */
export type SearchStage =
  | 'planning'
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
 * The server refuses a value of more than 2,048 bytes, and does so again at each try of a
 * workflow's task.
 */
const LIST_BYTES_MAX = 2_000;
/** Quotes and comma around each entry of a list, as the server stores it. */
const ENTRY_BYTES = 3;
/** What a server on PostgreSQL or SQLite keeps of a keyword. */
const KEYWORD_LENGTH_MAX = 255;

/**
 * The first entries, as many as the server takes: a move of 64 volumes with the longest ids has
 * more. Entries are ASCII.
 */
export function listThatFits(entries: readonly string[]): string[] {
  let bytes = 0;
  return entries.filter((entry) => (bytes += entry.length + ENTRY_BYTES) <= LIST_BYTES_MAX);
}

/** A keyword as it is stored and has to be searched for. */
export function keywordOf(text: string): string {
  return text.slice(0, KEYWORD_LENGTH_MAX);
}
