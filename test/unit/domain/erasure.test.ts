import { expect, it } from 'vitest';
import { describeUnconfirmed } from '../../../src/domain/operations/erasure.ts';

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
