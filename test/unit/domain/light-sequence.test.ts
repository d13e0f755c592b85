/** Tests the request for a light sequence: what is accepted, and what a caller reads if it is not. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseSequence } from '../../../src/domain/verification/light-sequence.ts';
import { REGIONS } from '../../../src/domain/verification/regions.ts';

const DATA = Buffer.from('ZGV2aWNl');
const MD5 = createHash('md5').update(DATA).digest('hex');
const REQUEST = { deviceData: DATA, region: 'ap-singapore', upload: 'own-bucket' };
const MIB = 1024 * 1024;

describe('a request', () => {
  it('gets the MD5 of its device data', () => {
    expect(parseSequence(REQUEST)).toEqual({ ...REQUEST, md5: MD5 });
  });

  it.each([
    { md5: MD5 },
    { md5: MD5.toUpperCase() },
    { key: '!' },
    { key: '~'.repeat(128) },
    { securityLevel: '1' },
    { securityLevel: '4' },
    { upload: 'create-upload-url' },
    { deviceData: new Uint8Array(DATA) },
    { deviceData: Buffer.alloc(MIB, 'A') },
    { deviceData: Buffer.from('QUI=\n') },
    { deviceData: Buffer.from('Q-_+/==') },
  ])('may have %j', (more) => {
    const { md5, ...rest } = parseSequence({ ...REQUEST, ...more });
    const { deviceData } = { ...REQUEST, ...more };
    expect(md5).toBe(createHash('md5').update(deviceData).digest('hex'));
    expect(rest).toMatchObject({ region: 'ap-singapore' });
  });

  it('reads only its own part of a larger buffer', () => {
    const whole = new Uint8Array([...Buffer.from('{"not": "base64"}'), ...DATA]);
    const part = whole.subarray(whole.length - DATA.length);
    expect(parseSequence({ ...REQUEST, deviceData: part }).md5).toBe(MD5);
  });

  it.each([
    [
      { deviceData: undefined },
      'deviceData',
      'deviceData is missing or not bytes: give the bytes that the SDK returned',
    ],
    [
      { deviceData: 'ZGV2aWNl' },
      'deviceData',
      'deviceData is missing or not bytes: give the bytes that the SDK returned',
    ],
    [{ md5: 'x' }, 'md5', 'md5 is not an MD5: write 32 hex digits'],
    [{ md5: `${MD5}0` }, 'md5', 'md5 is not an MD5: write 32 hex digits'],
    [{ md5: `x${MD5}` }, 'md5', 'md5 is not an MD5: write 32 hex digits'],
    [{ key: '' }, 'key', 'key is empty: give a key of your own, or omit it'],
    [{ key: 'k'.repeat(129) }, 'key', 'key is longer than 128 characters: use a shorter id, or a hash of it'],
    [{ key: 'a b' }, 'key', 'key has a forbidden character: use printable ASCII without spaces only'],
    [{ key: ' a' }, 'key', 'key has a forbidden character: use printable ASCII without spaces only'],
    [{ region: 'ap-tokyo' }, 'region', `region is not known: use one of ${REGIONS.join(', ')}`],
    [
      { region: 'sa-saopaulo' },
      'region',
      'region does not serve GenerateReflectSequence: use one of ap-singapore, ap-hongkong, ap-bangkok',
    ],
    [{ upload: 'ftp' }, 'upload', 'upload is not known: use one of own-bucket, create-upload-url'],
    [{ securityLevel: '5' }, 'securityLevel', 'securityLevel is not known: use one of 1, 2, 3, 4'],
    [{ level: '1' }, '', 'the request has an unknown field "level": remove it or correct its name'],
  ])('may not have %j', (more, field, message) => {
    expect(() => parseSequence({ ...REQUEST, ...more })).toThrow(
      expect.objectContaining({ code: 'INVALID_SEQUENCE', field, message }),
    );
  });

  it.each([
    [Buffer.alloc(0), 'SOURCE_EMPTY', 'deviceData is empty: give what the SDK returned'],
    [
      Buffer.alloc(MIB + 1, 'A'),
      'SOURCE_TOO_LARGE',
      'deviceData is larger than the limit of 1048576 bytes: give what the SDK returned',
    ],
    ...['{}', 'QUI===', '=QUI', 'é', 'QU I='].map(
      (text) =>
        [
          Buffer.from(text),
          'SOURCE_WRONG_KIND',
          'deviceData is not Base64 text: give it exactly as the SDK returned it, neither decoded nor wrapped',
        ] as const,
    ),
  ] as const)('refuses the device data %#', (deviceData, code, message) => {
    expect(() => parseSequence({ ...REQUEST, deviceData })).toThrow(
      expect.objectContaining({ code, field: 'deviceData', message }),
    );
  });

  it('refuses device data of another MD5', () => {
    expect(() => parseSequence({ ...REQUEST, md5: 'a'.repeat(32) })).toThrow(
      expect.objectContaining({
        code: 'SOURCE_MD5_MISMATCH',
        field: 'md5',
        message: 'md5 is not the MD5 of deviceData: correct it, or give the bytes that the SDK returned',
      }),
    );
  });
});
