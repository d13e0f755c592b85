/**
 * Reads manifests: JSON Lines, or CSV with a header, as editors and spreadsheets write them. If a line cannot be read, its number
 * is reported, and the other lines are returned.
 */
import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { inputFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';
import type { RequestFields } from './build-request.ts';
import { readCells, readHeader } from './csv-columns.ts';
import { decodeManifest } from './decode-manifest.ts';

export interface ManifestLine {
  /** Counts from 1. */
  readonly number: number;
  readonly request: Record<string, unknown> | null;
  readonly error: { readonly code: string; readonly field: string | null; readonly message: string } | null;
}

/**
 * @param file a path, or `-` for JSON Lines from stdin.
 * @param fromRow builds a request from a CSV row.
 * @throws Failure INVALID_MANIFEST if the file cannot be read, is empty, or has a wrong CSV header.
 */
export async function readManifest(
  file: string,
  fromRow: (fields: RequestFields) => Record<string, unknown>,
): Promise<ManifestLine[]> {
  const text = decodeManifest(await readBytes(file));
  const lines = /\.(?:csv|tsv|tab)$/i.test(file) ? parseCsv(text, fromRow) : parseJsonLines(text);
  if (lines.length > 0) return lines;
  throw inputFailure(CODES.INVALID_MANIFEST, 'manifest', 'the manifest is empty: write one verification per line');
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return file === '-' ? Buffer.concat(await process.stdin.toArray()) : await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === undefined) throw cause;
    const message = 'the manifest cannot be read: give the path of a .jsonl or .csv file, or -';
    throw inputFailure(CODES.INVALID_MANIFEST, 'manifest', message);
  }
}

function parseJsonLines(text: string): ManifestLine[] {
  return text
    .split(/\r\n|\n|\r/)
    .flatMap((line, index) => (line.trim() === '' ? [] : [parseJsonLine(index + 1, line)]));
}

function parseJsonLine(number: number, text: string): ManifestLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { number, request: value as Record<string, unknown>, error: null };
    }
    return invalidLine(number, 'is JSON but not an object: write one verification as {"key": …}');
  } catch {
    return invalidLine(number, 'is not JSON: write one verification as {"key": …} on one line');
  }
}

function parseCsv(text: string, fromRow: (fields: RequestFields) => Record<string, unknown>): ManifestLine[] {
  const { delimiter, rows } = separate(text);
  const [head, ...records] = parse(rows, {
    delimiter,
    trim: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    info: true,
    relax_column_count: true,
    relax_quotes: true,
  }) as unknown as { record: string[]; info: { lines: number } }[];
  if (head === undefined) return [];
  const columns = readHeader(head.record);
  return records.map(({ record, info: { lines: number } }) => {
    if (record.length !== columns.length) {
      const problem = `has ${record.length} columns, but the header has ${columns.length}: complete or quote them`;
      return invalidLine(number, problem);
    }
    const fields = readCells(columns, record);
    if (fields === null) return invalidLine(number, 'has a value in a column without a name: name the column');
    return { number, request: fromRow(fields), error: null };
  });
}

/** Finds the delimiter. Spreadsheets choose it by country, and may name it in a first line `sep=;`. */
function separate(text: string): { readonly delimiter: string; readonly rows: string } {
  const [, named] = /^sep=([,;\t|])\s*$/im.exec(text.split(/\r?\n/, 1)[0] ?? '') ?? [];
  if (named !== undefined) return { delimiter: named, rows: text.replace(/^.*/, '') }; // the empty line keeps line numbers right
  const header = /^\s*(.*)$/m.exec(text)?.[1] ?? '';
  const unquoted = header.replace(/"[^"]*"/g, '');
  const counts = [',', ';', '\t'].map((delimiter) => ({ delimiter, count: unquoted.split(delimiter).length }));
  const best = counts.reduce((most, each) => (each.count > most.count ? each : most));
  return { delimiter: best.delimiter, rows: text };
}

function invalidLine(number: number, problem: string): ManifestLine {
  return {
    number,
    request: null,
    error: { code: CODES.INVALID_MANIFEST, field: `line ${number}`, message: `line ${number} ${problem}` },
  };
}
