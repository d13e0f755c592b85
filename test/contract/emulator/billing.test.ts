/** Compares product and emulator, which share no code, with Tencent's billing tables. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentedBilling, ERROR_TABLE, type SubProduct } from '../../../src/domain/errors/index.ts';
import { CHECK_NAMES, OPINION_CALL } from '../../../src/domain/verification/actions.ts';
import { VENDOR_CALLS, type VendorCallName } from '../../../src/domain/verification/vendor-calls.ts';
import { isAttemptBilled, isBilled } from '../../../src/emulator/billing.ts';
import { VENDOR_FIXTURES } from '../../support/vendor-facts.ts';
import { DOCUMENTED } from '../../unit/domain/documented-codes.ts';

interface Table {
  readonly page: string;
  readonly subProduct: string;
  readonly calls: readonly string[];
  readonly codes: Readonly<Record<string, 'yes' | 'no'>>;
}

function readFixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(VENDOR_FIXTURES, name), 'utf8')) as T;
}

const TABLES = readFixture<readonly Table[]>('billing.json');
const { calls: ERROR_CODES } = readFixture<{ calls: Record<string, readonly string[]> }>('error-codes.json');
const CALLS = Object.keys(VENDOR_CALLS) as VendorCallName[];
const PAID_CALLS = [...CHECK_NAMES, OPINION_CALL] as const;
const FREE_CALLS = CALLS.filter((call) => !(PAID_CALLS as readonly string[]).includes(call));
const subProductOf = (call: VendorCallName): SubProduct => VENDOR_CALLS[call].subProduct;
/** Error codes with which Tencent's gateway refuses a request before the request reaches a service that bills. */
const REFUSED = /^(?:InvalidParameter|UnauthorizedOperation|RequestLimitExceeded|UnsupportedOperation)/;
/** Tencent's tables list some `InternalError.…` codes as `FailedOperation.…`. Returns a code's name in that second form. */
const twinOf = (code: string) => code.replace(/^InternalError\./, 'FailedOperation.');

/** Returns whether Tencent's pages say that a code of a call is billed; undefined if no page lists the code. */
function listed(call: string, code: string): 'yes' | 'no' | undefined {
  const tables = TABLES.filter(({ calls }) => calls.includes(call));
  return tables.map(({ codes }) => codes[code] ?? codes[twinOf(code)]).find((billed) => billed !== undefined);
}

describe.each(PAID_CALLS)('%s', (action) => {
  const codes = [
    ...new Set([...DOCUMENTED.map(([code]) => code), ...TABLES.flatMap((table) => Object.keys(table.codes))]),
  ];

  it.each(codes)('is billed for %s as the pages say; if no page says, it is unknown', (code) => {
    const expected = listed(action, code) ?? (REFUSED.test(code) ? 'no' : 'unknown');
    expect(documentedBilling(code, subProductOf(action))).toBe(expected);
    expect(isBilled(action, code, false)).toBe(expected === 'yes');
    expect(isBilled(action, code, true)).toBe(expected !== 'no');
  });
});

describe.each(CHECK_NAMES)('%s', (action) => {
  it('has the billing that the error table shows, which has one column for all checks', () => {
    const rows = ERROR_TABLE.filter(({ service, match }) => service === 'faceid' && /^[A-Za-z.]+$/.test(match));
    expect(rows.length).toBeGreaterThan(DOCUMENTED.length);
    for (const { match, billed } of rows) {
      expect([match, billed]).toEqual([match, documentedBilling(match, subProductOf(action))]);
    }
  });
});

it.each(FREE_CALLS)('%s is never billed', (call) => {
  for (const [code] of [['Success'], ...DOCUMENTED]) {
    expect(documentedBilling(code, subProductOf(call))).toBe('no');
    expect(isBilled(call, code, true)).toBe(false);
  }
});

it('covers every table for the calls that Bestframe makes, and leaves out those for other calls', () => {
  const others = TABLES.filter(({ calls }) => !calls.some((call) => (CALLS as string[]).includes(call)));
  expect(others.map(({ calls }) => calls)).toEqual([
    ['ApplyWebVerificationBizTokenIntl'],
    ['GetFaceIdTokenIntl'],
    ['ApplySdkVerificationToken'],
  ]);
});

describe('the emulator', () => {
  const codesOf = (call: string) =>
    TABLES.filter(({ calls }) => calls.includes(call)).flatMap(({ codes }) => Object.entries(codes));

  it('bills DetectAIFakeFaces as its table says', () => {
    for (const [code, billed] of codesOf('DetectAIFakeFaces')) {
      expect([code, isBilled('DetectAIFakeFaces', code, false)]).toEqual([code, billed === 'yes']);
      expect([code, isBilled('DetectAIFakeFaces', code, true)]).toEqual([code, billed === 'yes']);
    }
    expect(isBilled('DetectAIFakeFaces', 'FailedOperation.Surprise', true)).toBe(true);
  });

  it.each(['ApplySdkVerificationToken', 'GetFaceIdTokenIntl', 'ApplyWebVerificationBizTokenIntl'])(
    'bills the attempts of %s as its table says, and no call',
    (call) => {
      for (const [code, billed] of codesOf(call)) {
        expect([code, isAttemptBilled(call, code, false)]).toEqual([code, billed === 'yes']);
        expect([code, isAttemptBilled(call, code, true)]).toEqual([code, billed === 'yes']);
        expect(isBilled(call, code, true)).toBe(false);
      }
      expect([isAttemptBilled(call, '2015', false), isAttemptBilled(call, '2015', true)]).toEqual([false, true]);
    },
  );
});

describe('the error table', () => {
  it('has every code that Tencent documents for the calls that Bestframe makes', () => {
    expect(Object.keys(ERROR_CODES).sort()).toEqual([...CALLS].sort());
    const known = new Set(DOCUMENTED.map(([code]) => code));
    for (const code of new Set(Object.values(ERROR_CODES).flat())) {
      expect([code, known.has(code), ERROR_TABLE.some(({ match }) => match === code)]).toEqual([code, true, true]);
    }
  });
});
