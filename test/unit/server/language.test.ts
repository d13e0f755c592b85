/** Tests the choice of a page's language and the format of durations. */
import { expect, it } from 'vitest';
import { chooseLanguage, formatDuration, WORDS } from '../../../src/server/dashboard/words/language.ts';

it.each([
  ['zh', 'en', 'zh'],
  ['en', 'zh-CN', 'en'],
  [undefined, 'zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
  [undefined, 'fr-FR, en;q=0.5', 'en'],
  [undefined, 'fr', 'en'],
  [undefined, undefined, 'en'],
  ['constructor', 'zh', 'zh'],
] as const)('with cookie %s and Accept-Language %s, a page is in %s', (chosen, accepted, language) => {
  expect(chooseLanguage(chosen, accepted)).toBe(language);
});

it.each([
  [-5, '0 ms', '0 毫秒'],
  [999, '999 ms', '999 毫秒'],
  [3_210, '3.2 s', '3.2 秒'],
  [90_000, '90 s', '90 秒'],
  [600_000, '10 min', '10 分钟'],
  [7_200_000, '2 h', '2 小时'],
  [259_200_000, '3 d', '3 天'],
])('formats %d ms as %s, and in Chinese as %s', (ms, english, chinese) => {
  expect(formatDuration(ms, WORDS.en)).toBe(english);
  expect(formatDuration(ms, WORDS.zh)).toBe(chinese);
});
