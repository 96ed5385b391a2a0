// The formats of a batch's report.
import type { Batch } from '../batch-client.js';
import { csvReport } from './csv-report.js';
import type { BatchReportFormat } from './format.js';
import { htmlReport } from './html/html-report.js';
import { jsonReport } from './json-report.js';
import { tableReport } from './table-report.js';

export const REPORT_FORMATS = ['table', 'json', 'csv', 'html'] as const;
export type ReportFormatName = (typeof REPORT_FORMATS)[number];

export interface ReportFormatOptions {
  readonly nowMs: number;
  /** Whether CSV begins with a byte order mark, which some spreadsheets need. */
  readonly withMark: boolean;
}

export function batchReportFormat(
  name: ReportFormatName,
  batch: Batch,
  { nowMs, withMark }: ReportFormatOptions,
): BatchReportFormat {
  switch (name) {
    case 'table':
      return tableReport(batch);
    case 'json':
      return jsonReport(batch);
    case 'csv':
      return csvReport(batch, withMark);
    case 'html':
      return htmlReport(batch, nowMs);
  }
}
