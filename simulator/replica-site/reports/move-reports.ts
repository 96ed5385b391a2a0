// Final reports of moves, indexed by move, by batch in the batch's order, and by end. Ids have no
// spaces, so spaces separate the parts of a key.
import { MoverError } from '../../../contracts/errors.js';
import type { MoveId } from '../../../contracts/ids.js';
import type { reportsApi, StoredMoveReport } from '../../../contracts/report.js';
import { storedMoveReportSchema } from '../../../contracts/report.js';
import type { OutputOf, ParsedInputOf } from '../../../contracts/route.js';
import type { TextChange, TextStore } from '../../store/text-store.js';
import { ordered, readStored } from './stored-text.js';

const MOVES = 'moves';
const BY_END = 'byEnd';
const BY_BATCH = 'byBatch';
export const MOVE_REPORT_TABLES = [MOVES, BY_END, BY_BATCH] as const;

/**
 * Most characters of JSON in one answer, which has at least one report: reports of moves of many
 * volumes are large.
 */
const PAGE_LENGTH_MAX = 4 * 1024 * 1024;
/** Stands for any outcome in index keys, which begin with the outcome. */
const ANY = 'any';
/** The run id after the "@" of a move id. */
const RUN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

type Reports = OutputOf<typeof reportsApi.reports>;

export class MoveReports {
  readonly #store: TextStore;

  constructor(store: TextStore) {
    this.#store = store;
  }

  /** Stores a report; it replaces an earlier one of the same move. */
  put(report: StoredMoveReport): void {
    const { move } = report;
    const before = this.#find(move);
    const stale = before === undefined ? [] : indexKeys(before);
    const changes: TextChange[] = [
      ...stale,
      { table: MOVES, key: move, text: JSON.stringify(report) },
      ...indexKeys(report).map(({ table, key }) => ({ table, key, text: move })),
    ];
    this.#store.commit(changes);
  }

  /**
   * The report of a move; for a workflow id without a run, of its newest move.
   * @throws MoverError REPORT_NOT_FOUND, CORRUPT
   */
  get(move: MoveId): StoredMoveReport {
    const found = this.#find(move) ?? this.#newestOf(move);
    if (found === undefined)
      throw new MoverError('REPORT_NOT_FOUND', `The replica site has no report of move "${move}".`);
    return found;
  }

  /** @throws MoverError CORRUPT */
  page({ batch, outcome, cursor, limit }: ParsedInputOf<typeof reportsApi.reports>): Reports {
    const kind = outcome ?? ANY;
    const prefix = batch === undefined ? `${kind} ` : `${batch} ${kind} `;
    const after = cursor === undefined ? undefined : `${prefix}${cursor}`;
    const reverse = batch === undefined;
    const table = reverse ? BY_END : BY_BATCH;
    const reports: StoredMoveReport[] = [];
    let length = 0;
    let last = '';
    for (const [key, move] of this.#store.range(table, { prefix, after, reverse })) {
      const text = this.#store.get(MOVES, move);
      if (text === undefined) throw new MoverError('CORRUPT', `The report of move "${move}" is listed but not there.`);
      length += text.length;
      if (reports.length === limit || (length > PAGE_LENGTH_MAX && reports.length > 0))
        return { reports, next: last.slice(prefix.length) };
      reports.push(readStored(storedMoveReportSchema, text, `report of move "${move}"`));
      last = key;
    }
    return { reports };
  }

  #find(move: string): StoredMoveReport | undefined {
    const text = this.#store.get(MOVES, move);
    return text === undefined ? undefined : readStored(storedMoveReportSchema, text, `report of move "${move}"`);
  }

  #newestOf(workflow: string): StoredMoveReport | undefined {
    const prefix = `${workflow}@`;
    let newest: StoredMoveReport | undefined;
    for (const [move, text] of this.#store.range(MOVES, { prefix })) {
      // A workflow id may have an "@" of its own.
      if (!RUN_ID.test(move.slice(prefix.length))) continue;
      const report = readStored(storedMoveReportSchema, text, `report of move "${move}"`);
      if (newest === undefined || report.startedAtMs > newest.startedAtMs) newest = report;
    }
    return newest;
  }
}

function indexKeys({ move, outcome, batch, seq, endedAtMs }: StoredMoveReport): { table: string; key: string }[] {
  const byEnd = `${ordered(endedAtMs)} ${move}`;
  const keys = [ANY, outcome].map((kind) => ({ table: BY_END, key: `${kind} ${byEnd}` }));
  if (batch === undefined) return keys;
  const inBatch = `${ordered(seq ?? 0)} ${byEnd}`;
  return [...keys, ...[ANY, outcome].map((kind) => ({ table: BY_BATCH, key: `${batch} ${kind} ${inBatch}` }))];
}
