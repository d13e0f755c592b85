import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SpareConnection } from '../../../src/adapters/faceid/spare-connection.ts';

class FakeSocket {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
  }
  readonly on = () => this;
}

/** Opens a new fake socket each time, or fails. */
function opener(fails = false) {
  const sockets: FakeSocket[] = [];
  const connect = async () => {
    if (fails) throw new Error('refused');
    sockets.push(new FakeSocket());
    return sockets.at(-1) as unknown as TLSSocket;
  };
  return { sockets, spare: new SpareConnection(connect) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a spare connection', () => {
  it('is handed over once', async () => {
    const { sockets, spare } = opener();
    spare.open();
    expect(await spare.take()).toBe(sockets[0]);
    expect(await spare.take()).toBeNull();
    spare.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets[0]?.destroyed).toBe(false);
  });

  it('is opened once while it is fresh', async () => {
    const { sockets, spare } = opener();
    spare.open();
    await vi.advanceTimersByTimeAsync(4_000);
    spare.open();
    expect(await spare.take()).toBe(sockets[0]);
    expect(sockets).toHaveLength(1);
  });

  it('is replaced if it has been idle for too long, or has broken', async () => {
    const { sockets, spare } = opener();
    spare.open();
    await vi.advanceTimersByTimeAsync(5_000);
    spare.open();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets[0]?.destroyed).toBe(true);
    sockets[1]?.destroy();
    spare.open();
    expect(await spare.take()).toBe(sockets[2]);
  });

  it('is not handed over if it has been idle for too long', async () => {
    const { sockets, spare } = opener();
    spare.open();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await spare.take()).toBeNull();
    expect(sockets[0]?.destroyed).toBe(true);
  });

  it('is closed if no call took it, also while it is being opened', async () => {
    const { sockets, spare } = opener();
    spare.open();
    spare.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets[0]?.destroyed).toBe(true);
    expect(await spare.take()).toBeNull();
  });

  it('does not exist if it cannot be opened', async () => {
    const { spare } = opener(true);
    spare.open();
    expect(await spare.take()).toBeNull();
  });
});
