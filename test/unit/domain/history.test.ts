import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RESOURCE_NAMES } from '../../../src/domain/actions.ts';
import { type HistoryEntry, packHistory, unpackHistory } from '../../../src/domain/history.ts';
import { STAGES } from '../../../src/domain/states.ts';

const host = 'faceid-resource-sg-1250000000.cos.ap-singapore.myqcloud.com';
const sent = fc.record(
  {
    resources: fc.array(
      fc.record(
        {
          name: fc.constantFrom(...RESOURCE_NAMES),
          bytes: fc.nat(),
          md5: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
          place: fc.oneof(
            fc.string(),
            fc.string().map((rest) => `${host}/faceid%2F${rest}`),
            fc.string().map((rest) => `${host}/bestframe/${rest}`),
          ),
          requestId: fc.oneof(fc.string(), fc.uuid()),
        },
        { requiredKeys: ['name', 'bytes', 'md5', 'place'] },
      ),
    ),
    liveness: fc.record({ type: fc.constant('ACTION'), validateData: fc.string() }),
  },
  { requiredKeys: ['resources'] },
);

const entry = fc.record(
  {
    at: fc.nat(),
    event: fc.constantFrom('done', 'retry', 'rewind', 'error', 'unsent', 'unknown', 'cancel', 'ended', 'late'),
    stage: fc.constantFrom(...STAGES),
    code: fc.string(),
    requestId: fc.oneof(
      fc.string(),
      fc.uuid(),
      fc.uuid().map((id) => `~${id.slice(0, 22)}`),
    ),
    billed: fc.constant(true),
    ms: fc.nat(),
    service: fc.constantFrom('faceid', 'cos'),
    by: fc.string(),
    why: fc.string(),
    sent,
  },
  { requiredKeys: ['at', 'event'] },
) as fc.Arbitrary<HistoryEntry>;

describe('history', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(entry, (given) => {
        expect(unpackHistory(packHistory(given))).toEqual(given);
      }),
    );
  });

  it('is written short: one letter a field, and nothing that says nothing', () => {
    const given = { at: 1, event: 'done', stage: 'upload', billed: false, ms: 12.6 } as const;
    expect(packHistory(given)).toBe('{"t":1,"e":"done","s":"upload","m":13}');
    expect(unpackHistory(packHistory(given))).toEqual({ at: 1, event: 'done', stage: 'upload', ms: 13 });
  });
});
