import { describe, expect, it } from 'vitest';
import { describeUnconfirmed, presentReceipt, type StoredReceipt } from '../../../src/domain/operations/erasure.ts';

it.each([
  ['own-bucket', false, []],
  ['own-bucket', true, [/^an upload that was running/]],
  ['create-upload-url', false, [/^the resources in Tencent's bucket/]],
  ['create-upload-url', true, [/^an upload that was running/, /^the resources in Tencent's bucket/]],
] as const)('after an upload by %s (still running: %s), says which copies may remain', (upload, uploadMayRun, more) => {
  expect(describeUnconfirmed({ upload, uploadMayRun })).toEqual(
    [...more, /^Tencent Cloud's own records/].map((words) => expect.stringMatching(words)),
  );
});

describe('a receipt', () => {
  const STORED: StoredReceipt = {
    ...{ id: 'v1', mode: 'test', requestedAt: '2026-12-01T08:00:00.000Z', by: 'ana', why: 'asked by letter' },
    record: { confirmedAt: '2026-12-01T08:00:00.000Z', by: 'Redis' },
    ...{ job: null, objects: 'not_ours', frame: 'none', complete: true, completeAt: 1_000 },
    notConfirmed: ['a copy'],
  };

  it.each([
    ['rewritten', "the files of Redis's replicas, and backups"],
    ['not_yet', "Redis's append-only file until it is rewritten, the files of its replicas, and backups"],
    ['off', "Redis's snapshots until they are replaced, the files of its replicas, and backups"],
    ['unknown', "Redis's append-only file until it is rewritten, the files of its replicas, and backups"],
  ] as const)('says which files of Redis may still have the data if the AOF is %s', (aof, files) => {
    const receipt = presentReceipt(STORED, aof);
    expect(receipt).toMatchObject({ id: 'v1', aof, evidence: 'none', notConfirmed: ['a copy', files] });
    expect(receipt).not.toHaveProperty('completeAt');
    expect(receipt.data.length).toBeGreaterThan(3);
  });

  it('says until when evidence is locked, and which', () => {
    const evidence = { lockedUntil: '2027-01-01T00:00:00.000Z', objects: ['image', 'answer'] };
    const { notConfirmed } = presentReceipt({ ...STORED, evidence }, 'rewritten');
    expect(notConfirmed[1]).toBe(
      'the evidence (image, answer): it is locked until 2027-01-01T00:00:00.000Z, and deleted then',
    );
    for (const other of [null, 'none', { confirmedAt: '2026-12-01T08:00:00.000Z', by: 'COS', versions: 2 }] as const)
      expect(presentReceipt({ ...STORED, evidence: other }, 'rewritten').notConfirmed).toHaveLength(2);
  });
});
