/** Tests the limits of JSON that arrives over HTTP. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { JsonLimits } from '../../../src/server/api/json-limits.ts';

function push(...chunks: (string | Buffer)[]): () => void {
  const limits = new JsonLimits();
  return () => {
    for (const chunk of chunks) limits.push(Buffer.from(chunk));
  };
}

it('refuses deep nesting at the bracket that goes too far, also over chunks', () => {
  expect(push('['.repeat(32))).not.toThrow();
  expect(push('['.repeat(33))).toThrow(/nested deeper than 32/);
  expect(push('{"a":'.repeat(20), '{"a":'.repeat(13))).toThrow(/nested deeper than 32/);
  expect(push('[[]'.repeat(31))).not.toThrow();
});

it('refuses more values than any batch has', () => {
  expect(push(`[${'1,'.repeat(199_998)}1]`)).not.toThrow();
  expect(push(`[${'1,'.repeat(200_001)}1]`)).toThrow(/more than 200000 values/);
  expect(push('[]'.repeat(200_001))).toThrow(/more than 200000 values/);
});

it('counts nothing in strings, wherever chunks begin', () => {
  const text = JSON.stringify({ a: '[{"\\'.repeat(100), [`${'['.repeat(40)}\\"`]: ',,,', b: ['"', '\\'] });
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const sorted = [0, ...cuts.sort((a, b) => a - b), text.length];
      const bytes = Buffer.from(text);
      expect(push(...sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end)))).not.toThrow();
    }),
  );
});

it('accepts all JSON within the limits', () => {
  fc.assert(fc.property(fc.json({ maxDepth: 10 }), (text) => void expect(push(text)).not.toThrow()));
});
