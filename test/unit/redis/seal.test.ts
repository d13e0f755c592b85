import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKeyRing, Sealer } from '../../../src/redis/sealer.ts';

const key = () => randomBytes(32).toString('base64');
const [OLD, NEW] = [key(), key()];
const sealer = (ring: string) => new Sealer(parseKeyRing(ring));

describe('a key ring', () => {
  it.each([
    ['', 'is not a key ring'],
    [OLD, 'is not a key ring'],
    [`k1:${OLD.slice(0, 20)}`, 'is not a key ring'],
    [`k1:${OLD},k1:${NEW}`, 'names the key "k1" twice'],
    [`a b:${OLD}`, 'is not a key ring'],
  ])('that is invalid is refused without revealing a key: %#', (text, message) => {
    const refused = (() => {
      try {
        parseKeyRing(text);
        return '';
      } catch (error) {
        return String(error);
      }
    })();
    expect(refused).toContain(message);
    expect(refused).not.toContain(OLD.slice(0, 12));
  });
});

describe('a sealed value', () => {
  it('opens to the original text and does not reveal it', () => {
    const ring = sealer(`k1:${OLD}`);
    fc.assert(
      fc.property(fc.string({ minLength: 4 }), (text) => {
        const sealed = ring.seal('v1', 'src', text);
        expect(sealed).not.toContain(text);
        expect(ring.open('v1', 'src', sealed)).toBe(text);
        expect(ring.seal('v1', 'src', text)).not.toBe(sealed);
      }),
    );
  });

  it('is sealed with the first key of the ring and opens with any key of the ring', () => {
    const before = sealer(`k1:${OLD}`);
    const between = sealer(`k1:${OLD},k2:${NEW}`);
    const after = sealer(`k2:${NEW},k1:${OLD}`);
    const sealed = after.seal('v1', 'src', 'text');
    expect(between.open('v1', 'src', sealed)).toBe('text');
    expect(after.open('v1', 'src', before.seal('v1', 'src', 'text'))).toBe('text');
    expect(() => before.open('v1', 'src', sealed)).toThrow(expect.objectContaining({ code: 'SEAL_KEY_MISSING' }));
    expect(() => before.open('v1', 'src', sealed)).toThrow(/"k2" is not in the key ring/);
  });

  it('does not open for another record or field, after a change, or with a different key of the same name', () => {
    const ring = sealer(`k1:${OLD}`);
    const sealed = ring.seal('v1', 'src', 'text');
    const changed = `${sealed.slice(0, -6)}${sealed.at(-6) === 'A' ? 'B' : 'A'}${sealed.slice(-5)}`;
    expect(() => ring.open('v2', 'src', sealed)).toThrow(/does not open/);
    expect(() => ring.open('v1', 'meta', sealed)).toThrow(/does not open/);
    expect(() => ring.open('v1', 'src', changed)).toThrow(/does not open/);
    expect(() => sealer(`k1:${NEW}`).open('v1', 'src', sealed)).toThrow(/does not open/);
  });
});

it('without a key ring, values stay plain; with a key ring, plain values are still readable', () => {
  const none = new Sealer();
  expect(none.seal('v1', 'src', 'text')).toBe('text');
  expect(sealer(`k1:${OLD}`).open('v1', 'src', 'text')).toBe('text');
});
