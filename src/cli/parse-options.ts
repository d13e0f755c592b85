/** Parsers for option values. They throw InvalidArgumentError, which commander reports together with the option. */
import { InvalidArgumentError } from 'commander';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Parses `90s`, `15m`, `2h` or `3d`. @returns ms */
export function parseDuration(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('Write a number with s, m, h or d, e.g. 15m.');
  return Number(count) * (UNITS_MS[unit] ?? 0);
}

/** Parses a time: either ISO 8601, or an age such as `2h`. @returns ISO 8601 */
export function parseSince(text: string): string {
  if (/^\d+[smhd]$/.test(text)) return new Date(Date.now() - parseDuration(text)).toISOString();
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError('Write how long ago, e.g. 2h, or a time as 2026-11-25T09:30:00Z.');
  return new Date(at).toISOString();
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds;
  throw new InvalidArgumentError('Write a number of seconds.');
}

export function parsePort(text: string): number {
  return wholeNumber(text, 0, 65_535);
}

/** A parser for whole numbers from 1 to `most`. */
export function parseCount(most: number): (text: string) => number {
  return (text) => wholeNumber(text, 1, most);
}

/** Parses `name=value`, and adds it to the metadata from earlier options. */
export function parseMetadata(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('Write name=value.');
  if (Object.hasOwn(previous, name)) throw new InvalidArgumentError(`The name ${name} is given twice.`);
  return { ...previous, [name]: value };
}

function wholeNumber(text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const range = `${least.toLocaleString('en-US')} to ${most.toLocaleString('en-US')}`;
  throw new InvalidArgumentError(`Write a whole number from ${range}.`);
}
