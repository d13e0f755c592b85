/** Tests runs that many callers share. */
import { describe, expect, it } from 'vitest';
import { sharedRun } from '../../../src/adapters/storage/shared-run.ts';

/** Work whose runs are ended by the test. */
function heldWork() {
  const runs: { end(): void; fail(error: Error): void }[] = [];
  const work = () =>
    new Promise<void>((resolve, reject) => {
      runs.push({ end: resolve, fail: reject });
    });
  return { runs, work };
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

describe('a shared run', () => {
  it('serves all calls that came before it began', async () => {
    const { runs, work } = heldWork();
    const run = sharedRun(work);
    const calls = [run(), run(), run()];
    await soon();
    expect(runs).toHaveLength(1);
    runs[0]?.end();
    await Promise.all(calls);
    expect(runs).toHaveLength(1);
  });

  it('does not serve a call that came after it began', async () => {
    const { runs, work } = heldWork();
    const run = sharedRun(work);
    const first = run();
    await soon();
    let served = false;
    const late = [run(), run()];
    void late[0]?.then(() => {
      served = true;
    });
    await soon();
    expect(runs).toHaveLength(1); // runs do not overlap
    runs[0]?.end();
    await first;
    await soon();
    expect(served).toBe(false);
    expect(runs).toHaveLength(2);
    runs[1]?.end();
    await Promise.all(late);
    expect(runs).toHaveLength(2);
  });

  it('passes its error to its own calls only', async () => {
    const { runs, work } = heldWork();
    const run = sharedRun(work);
    const first = run();
    const failed = expect(first).rejects.toThrow('disk full');
    await soon();
    const second = run();
    runs[0]?.fail(new Error('disk full'));
    await failed;
    await soon();
    runs[1]?.end();
    await second;
    const third = run();
    await soon();
    expect(runs).toHaveLength(3);
    runs[2]?.end();
    await third;
  });
});
