import { describe, expect, it } from 'vitest';
import { NO_TRACER, parseTraceparent, traceIdOf } from '../../../src/domain/operations/tracing.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const VALID = `00-${TRACE}-${SPAN}-01`;

describe('a traceparent', () => {
  it.each([VALID, `00-${TRACE}-${SPAN}-00`])('%s is kept', (text) => {
    expect(parseTraceparent(text)).toBe(text);
    expect(traceIdOf(parseTraceparent(text))).toBe(TRACE);
  });

  it('of a later version loses what the version added', () => {
    expect(parseTraceparent(`cc-${TRACE}-${SPAN}-01-what-is-new`)).toBe(VALID);
  });

  it.each([
    ['nothing', undefined],
    ['a list, as of a repeated header', [VALID, VALID]],
    ['an empty text', ''],
    ['two in one header', `${VALID}, ${VALID}`],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capital letters', VALID.toUpperCase()],
    ['a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['no flags', `00-${TRACE}-${SPAN}`],
    ['more fields in version 00', `${VALID}-more`],
    ['a line break', `${VALID}\n`],
    ['a line break in a later version', `cc-${TRACE}-${SPAN}-01-\nx`],
    ['a space before it', ` ${VALID}`],
    ['a link', 'https://example.com/?secret=1'],
  ])('that is %s is ignored', (_what, text) => {
    expect(parseTraceparent(text)).toBeNull();
    expect(traceIdOf(parseTraceparent(text))).toBeNull();
  });
});

describe('without a tracer', () => {
  it('a trace is passed on, and results and errors are those of the work', async () => {
    const pass = (parent?: string) =>
      NO_TRACER.run('work', parent === undefined ? {} : { parent }, async ({ traceparent }) => traceparent);
    expect(await pass(VALID)).toBe(VALID);
    expect(await pass()).toBeNull();
    const fails = NO_TRACER.run('work', {}, () => Promise.reject(new Error('failed')));
    await expect(fails).rejects.toThrow('failed');
  });
});
