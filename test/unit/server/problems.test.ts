/** Tests that HTTP answers name no settings and no commands, because callers know neither. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderFull, folderUnwritable } from '../../../src/adapters/storage/disk.ts';
import { localFailure } from '../../../src/domain/errors/failure.ts';
import { CODES } from '../../../src/domain/errors/index.ts';
import { problemOf } from '../../../src/server/api/problems.ts';

const SRC = join(import.meta.dirname, '..', '..', '..', 'src');
const OPERATORS_WORDS = /BESTFRAME_|TENCENTCLOUD_|REDIS_URL|bestframe (?:[a-z]+ [a-z]|--)|(?:^|[\s`])--\w/;

it.each(Object.values(CODES))('%s: title, detail and cure name no setting and no command', (code) => {
  const problem = problemOf(localFailure(code, 'what is wrong'), 'r1');
  expect(problem.cure).toMatch(/[.!]$/);
  for (const text of [problem.title, problem.detail, problem.cure]) expect(text).not.toMatch(OPERATORS_WORDS);
});

it('keeps the operator’s words about a faulty machine out of the answer', () => {
  for (const fault of [folderFull('staging'), folderUnwritable('staging', 'EACCES')]) {
    expect(fault.message).toMatch(OPERATORS_WORDS);
    expect(JSON.stringify(problemOf(fault, 'r1'))).not.toMatch(OPERATORS_WORDS);
  }
});

/**
 * Settings that a process reads when it starts. An invalid value ends the process, so these errors never reach an HTTP
 * answer.
 */
const AT_START = /API_HOST|API_PORT|BESTFRAME_KEY_RING/;

it('no message that code behind the HTTP API writes names a setting or a command', () => {
  const folders = ['server/api', 'client', 'domain/verification'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(SRC, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('advice-phrases.ts'))
      .map((name) => join(SRC, folder, name)),
  );
  expect(files.length).toBeGreaterThan(50);
  const wrong = files.flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => !/^\s*(?:\*|\/\*|\/\/)/.test(line))
      .filter((line) => /['`"]/.test(line) && OPERATORS_WORDS.test(line) && !AT_START.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(wrong).toEqual([]);
});
