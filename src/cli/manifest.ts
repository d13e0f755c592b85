/** Manifests: JSON Lines, or CSV with a header. A line that cannot be read is named by its number; the others go on. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { CODES } from '../domain/errors/index.ts';
import { inputFailure } from '../domain/failure.ts';

export interface ManifestLine {
  /** Counted from 1, as an editor counts. */
  readonly number: number;
  readonly request: Record<string, unknown> | null;
  readonly error: { readonly code: string; readonly field: string | null; readonly message: string } | null;
}

/** @param fromRow makes a request of a CSV row. @throws Failure INVALID_MANIFEST where the file itself cannot be read. */
export async function readManifest(
  file: string,
  fromRow: (row: Record<string, string>) => Record<string, unknown>,
): Promise<ManifestLine[]> {
  try {
    return /\.csv$/i.test(file) ? await readCsv(file, fromRow) : await readJsonLines(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === undefined) throw cause;
    throw inputFailure(
      CODES.INVALID_MANIFEST,
      'manifest',
      'the manifest cannot be read: give the path of a .jsonl or .csv file, or -',
    );
  }
}

async function readJsonLines(file: string): Promise<ManifestLine[]> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  const lines: ManifestLine[] = [];
  let number = 0;
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (text.trim() !== '') lines.push(jsonLine(number, text));
  }
  return lines;
}

function jsonLine(number: number, text: string): ManifestLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { number, request: value as Record<string, unknown>, error: null };
    }
    return broken(number, 'is JSON, but no object: write one verification as {"key": …}');
  } catch {
    return broken(number, 'is not JSON: write one verification as {"key": …} on one line');
  }
}

async function readCsv(
  file: string,
  fromRow: (row: Record<string, string>) => Record<string, unknown>,
): Promise<ManifestLine[]> {
  const lines: ManifestLine[] = [];
  const parser = createReadStream(file).pipe(
    parse({ bom: true, trim: true, skip_empty_lines: true, info: true, relax_column_count: true, relax_quotes: true }),
  );
  let head: string[] | null = null;
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    if (head === null) {
      head = record;
      continue;
    }
    if (record.length !== head.length) {
      lines.push(
        broken(info.lines, `has ${record.length} columns where the header has ${head.length}: complete or quote it`),
      );
      continue;
    }
    const row = Object.fromEntries(head.map((name, column) => [name, record[column] ?? '']));
    lines.push({ number: info.lines, request: fromRow(row), error: null });
  }
  return lines;
}

function broken(number: number, what: string): ManifestLine {
  return {
    number,
    request: null,
    error: { code: CODES.INVALID_MANIFEST, field: `line ${number}`, message: `line ${number} ${what}` },
  };
}
