/** Picks the language of a page and formats durations in it. */
import { en, type Words } from './en.ts';
import { zh } from './zh.ts';

export const WORDS = { en, zh } as const satisfies Record<string, Words>;
export type Language = keyof typeof WORDS;

export function isLanguage(text: string | undefined): text is Language {
  return text !== undefined && Object.hasOwn(WORDS, text);
}

/** @param chosen value of the language cookie. @param accepted the header Accept-Language. */
export function chooseLanguage(chosen: string | undefined, accepted: string | undefined): Language {
  if (isLanguage(chosen)) return chosen;
  const first = (accepted ?? '').split(',').find((each) => /^\s*(zh|en)\b/i.test(each));
  return first?.trim().toLowerCase().startsWith('zh') === true ? 'zh' : 'en';
}

/** Rounds to one unit: `3 s`, `4 min`, `2 h`. */
export function formatDuration(ms: number, { units }: Words): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}${units.ms}`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)}${units.s}`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)}${units.s}`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)}${units.min}`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)}${units.h}`;
  return `${Math.round(ms / 86_400_000)}${units.d}`;
}
