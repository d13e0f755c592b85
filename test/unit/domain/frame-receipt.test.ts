/** Tests the receipt next to a frame: its form, and that its proof covers everything that it proves. */
import { describe, expect, it } from 'vitest';
import {
  computeReceiptProof,
  frameReceipt,
  proofMatches,
  receiptOwner,
} from '../../../src/domain/verification/frame-receipt.ts';

const RECEIPT = {
  id: 'v1',
  decision: 'match',
  similarity: 91.5,
  result: 'Success',
  requestId: 'r-1',
  decidedAt: 1_000,
  proof: 'p',
  owner: 'o',
  paid: true,
  frame: { md5: 'a'.repeat(32), bytes: 1 },
};

describe('a receipt', () => {
  it.each([{}, { similarity: null, requestId: null }, { later: 'a field of a later version' }])(
    'may have %j',
    (more) => {
      expect(frameReceipt.safeParse({ ...RECEIPT, ...more }).success).toBe(true);
    },
  );

  it.each([
    { id: '' },
    { decision: 'yes' },
    { similarity: '91' },
    { result: '' },
    { requestId: undefined },
    { decidedAt: 1.5 },
    { proof: '' },
    { owner: '' },
    { paid: 'true' },
    { frame: undefined },
    ...['A'.repeat(32), 'a'.repeat(31), 'a'.repeat(33), 'g'.repeat(32)].map((md5) => ({ frame: { md5, bytes: 1 } })),
    ...[0, -1, 1.5].map((bytes) => ({ frame: { ...RECEIPT.frame, bytes } })),
  ])('may not have %j', (more) => {
    expect(frameReceipt.safeParse({ ...RECEIPT, ...more }).success).toBe(false);
  });
});

describe('the proof', () => {
  const verification = { id: 'v1', mode: 'live', fingerprint: 'f' } as const;
  const outcome = { decision: 'match', similarity: 91, result: 'Success', requestId: 'r-1' } as const;
  const proof = computeReceiptProof('secret', verification, outcome);

  it('never changes, so that receipts of earlier versions are accepted', () => {
    expect(proof).toBe(computeReceiptProof('secret', { ...verification }, { ...outcome }));
    expect(proof).toMatchInlineSnapshot(`"-QNiYqWbbajmizYsYqWPQx_ey-lIgzRXx1u2rzmxSuo"`);
  });

  it('differs for any other request or answer', () => {
    const others = [
      computeReceiptProof('other', verification, outcome),
      ...[{ id: 'v2' }, { mode: 'test' as const }, { fingerprint: 'g' }].map((more) =>
        computeReceiptProof('secret', { ...verification, ...more }, outcome),
      ),
      ...[{ decision: 'no_match' as const }, { similarity: null }, { result: 'X' }, { requestId: null }].map((more) =>
        computeReceiptProof('secret', verification, { ...outcome, ...more }),
      ),
    ];
    expect(new Set([proof, ...others]).size).toBe(9);
    expect(others.filter((other) => proofMatches(proof, other))).toEqual([]);
  });

  it('matches only itself', () => {
    expect(proofMatches(proof, proof)).toBe(true);
    for (const other of ['', proof.slice(1), `${proof}a`, `${proof.slice(0, -1)}_`]) {
      expect(proofMatches(proof, other)).toBe(false);
      expect(proofMatches(other, proof)).toBe(false);
    }
  });
});

it('the owner differs by deployment and mode', () => {
  const owner = receiptOwner('secret', { prefix: '{a}', mode: 'live' });
  expect(owner).toMatchInlineSnapshot(`"A1GvYrDoLBenab9V6jV8tW"`);
  const others = [
    receiptOwner('other', { prefix: '{a}', mode: 'live' }),
    receiptOwner('secret', { prefix: '{b}', mode: 'live' }),
    receiptOwner('secret', { prefix: '{a}', mode: 'test' }),
  ];
  expect(new Set([owner, ...others]).size).toBe(4);
});
