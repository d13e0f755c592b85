/** Tests when temporary keys are renewed, which callers wait for the renewal, and what changes if a renewal fails. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keysUnavailable, type TemporaryKeys } from '../../../src/adapters/credentials/keys.ts';
import { renewedKeys } from '../../../src/adapters/credentials/renewed-keys.ts';
import type { Failure } from '../../../src/domain/errors/failure.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A source whose answers the test gives one by one. */
function scriptedSource() {
  const asked: { answer(lifeMs: number): void; fail(): void }[] = [];
  const obtain = () =>
    new Promise<TemporaryKeys>((resolve, reject) => {
      const secretId = `id-${asked.length + 1}`;
      asked.push({
        answer: (lifeMs) => resolve({ secretId, secretKey: 'key', token: 'token', expiresAt: Date.now() + lifeMs }),
        fail: () => reject(keysUnavailable('STS is down')),
      });
    });
  return { asked, obtain };
}

describe('temporary keys', () => {
  it('are asked for once by callers at the same time', async () => {
    const { asked, obtain } = scriptedSource();
    const keys = renewedKeys(obtain);
    const all = Promise.all(Array.from({ length: 5 }, () => keys.get()));
    asked[0]?.answer(HOUR);
    expect(new Set((await all).map(({ secretId }) => secretId))).toEqual(new Set(['id-1']));
    expect(asked).toHaveLength(1);
  });

  it('are renewed before they expire, without a wait for callers', async () => {
    const { asked, obtain } = scriptedSource();
    const keys = renewedKeys(obtain);
    const first = keys.get();
    asked[0]?.answer(HOUR);
    await first;
    vi.advanceTimersByTime(HOUR - 6 * MINUTE);
    expect((await keys.get()).secretId).toBe('id-1');
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(2 * MINUTE);
    expect((await keys.get()).secretId).toBe('id-1');
    expect((await keys.get()).secretId).toBe('id-1');
    expect(asked).toHaveLength(2);
    asked[1]?.answer(HOUR);
    await vi.waitFor(async () => expect((await keys.get()).secretId).toBe('id-2'));
  });

  it('are renewed first if a link should live longer than they do', async () => {
    const { asked, obtain } = scriptedSource();
    const keys = renewedKeys(obtain);
    const first = keys.get();
    asked[0]?.answer(HOUR);
    await first;
    vi.advanceTimersByTime(HOUR - 10 * MINUTE);
    const waiting = keys.get(10 * MINUTE);
    expect(asked).toHaveLength(2);
    asked[1]?.answer(HOUR);
    expect((await waiting).secretId).toBe('id-2');
  });

  it('are not renewed for a link that outlives any keys of this source, while they are young', async () => {
    const { asked, obtain } = scriptedSource();
    const keys = renewedKeys(obtain);
    const first = keys.get();
    asked[0]?.answer(10 * MINUTE);
    await first;
    expect((await keys.get(HOUR)).secretId).toBe('id-1');
    expect(asked).toHaveLength(1);
  });

  it('are used until they expire if a renewal fails, which is reported and tried again after a pause', async () => {
    const { asked, obtain } = scriptedSource();
    const reported: Failure[] = [];
    const keys = renewedKeys(obtain, (failure) => reported.push(failure));
    const first = keys.get();
    asked[0]?.answer(HOUR);
    await first;
    vi.advanceTimersByTime(HOUR - 4 * MINUTE);
    await keys.get();
    asked[1]?.fail();
    await vi.waitFor(() => expect(reported).toHaveLength(1));
    expect((await keys.get(10 * MINUTE)).secretId).toBe('id-1');
    expect(asked).toHaveLength(2);
    vi.advanceTimersByTime(31_000);
    await keys.get();
    expect(asked).toHaveLength(3);
    asked[2]?.fail();
    await vi.waitFor(() => expect(reported).toHaveLength(2));
    vi.advanceTimersByTime(4 * MINUTE);
    const expired = keys.get();
    asked[3]?.fail();
    await expect(expired).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE', sent: 'no' });
  });

  it('a source that hangs is given up', async () => {
    const keys = renewedKeys(
      (signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    );
    const waiting = expect(keys.get()).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE', sent: 'no' });
    await vi.advanceTimersByTimeAsync(10_000);
    await waiting;
  });
});
