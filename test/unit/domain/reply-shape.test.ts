import { describe, expect, it } from 'vitest';
import { checkReply, describeShape } from '../../../src/domain/verification/reply-shape.ts';
import type { VendorCallName } from '../../../src/domain/verification/vendor-calls.ts';

const [LINK, MD5] = ['https://faceid-result.example/secret-path?q-sign=1', 'a'.repeat(32)];
const reflect = { Result: 'Success', Description: 'Success', Sim: 92.61, RequestId: 'r-1' };
const REPLIES = {
  DetectReflectLivenessAndCompare: { ...reflect, BestFrameUrl: LINK, BestFrameMd5: MD5 },
  VideoLivenessCompare: { ...reflect, BestFrame: { Url: LINK, MD5, Size: 17 } },
  CompareFaceLiveness: { ...reflect, BestFrameBase64: '/9j/4AAQ' },
  DetectAIFakeFaces: {
    AttackRiskLevel: 'High',
    AttackRiskDetailList: [{ Type: 'SuspectedSynthesisImage' }],
    ExtraInfo: {
      RetrievalLivenessExtraInfo: [{ HitGroup: 'Common', SimilarityScore: 0.93, HitTemplate: 'template-1' }],
    },
    RequestId: 'r-1',
  },
  CreateUploadUrl: { UploadUrl: LINK, ResourceUrl: LINK, ExpiredTimestamp: 1_800_000_000, RequestId: 'r-1' },
  GenerateReflectSequence: { ReflectSequenceUrl: LINK, ReflectSequenceMd5: MD5, RequestId: 'r-1' },
} as const satisfies Record<VendorCallName, object>;
const {
  DetectReflectLivenessAndCompare: byFields,
  VideoLivenessCompare: byFile,
  CompareFaceLiveness: byText,
} = REPLIES;
const [FIELDS, FILE, TEXT] = [
  'DetectReflectLivenessAndCompare',
  'VideoLivenessCompare',
  'CompareFaceLiveness',
] as const;

it.each(Object.entries(REPLIES) as [VendorCallName, object][])(
  '%s: the documented shape is no trouble',
  (call, reply) => {
    for (const more of [{}, { NewField: { Inner: 1 } }]) {
      const checked = checkReply(call, { ...reply, ...more });
      expect(checked).toMatchObject({ trouble: null, usable: true, frameReadable: true });
      expect(checked.text('RequestId')).toBe('r-1');
    }
  },
);

describe('a frame', () => {
  it.each<readonly [string, VendorCallName, object]>([
    ['empty fields', FIELDS, { ...byFields, BestFrameUrl: '', BestFrameMd5: '' }],
    ['null fields', FIELDS, { ...byFields, BestFrameUrl: null, BestFrameMd5: null }],
    ['null', FILE, { ...byFile, BestFrame: null }],
    ['null', TEXT, { ...byText, BestFrameBase64: null }],
    ['no field, with another Result', TEXT, { Result: 'FailedOperation.UnKnown', RequestId: 'r-1' }],
    ['a file of nulls', FILE, { ...byFile, BestFrame: { Url: null, MD5: null, Size: null } }],
    ['no field, with another Result', FILE, { Result: 'FailedOperation.UnKnown', RequestId: 'r-1' }],
    ['no field, with another Result', FIELDS, { Result: 'FailedOperation.UnKnown', RequestId: 'r-1' }],
  ])('may be absent: %s', (_how, call, reply) => {
    const checked = checkReply(call, reply);
    expect(checked).toMatchObject({ trouble: null, frameReadable: true });
    expect([checked.text('BestFrame.Url'), checked.text('BestFrameUrl')]).toEqual([null, null]);
  });

  it.each<readonly [string, VendorCallName, object, string[]]>([
    ['a file instead of fields', FIELDS, { ...reflect, BestFrame: byFile.BestFrame }, ['BestFrameMd5', 'BestFrameUrl']],
    ['fields instead of a file', FILE, byFields, ['BestFrame.MD5', 'BestFrame.Url']],
    ['a link that is not https', FIELDS, { ...byFields, BestFrameUrl: 'http://a/b' }, ['BestFrameUrl']],
    ['a link that is a number', FILE, { ...byFile, BestFrame: { Url: 7, MD5, Size: 17 } }, ['BestFrame.Url']],
    ['an MD5 in Base64', FILE, { ...byFile, BestFrame: { Url: LINK, MD5: 'q83v', Size: 17 } }, ['BestFrame.MD5']],
    ['a list of files', FILE, { ...byFile, BestFrame: [byFile.BestFrame] }, ['BestFrame']],
    ['a string', FILE, { ...byFile, BestFrame: LINK }, ['BestFrame']],
    ['no Base64', TEXT, { ...byText, BestFrameBase64: 'data:image/jpeg;base64,/9j/' }, ['BestFrameBase64']],
    ['Base64 without padding', TEXT, { ...byText, BestFrameBase64: '/9j/4' }, ['BestFrameBase64']],
    ['a file instead of Base64', TEXT, byFile, ['BestFrameBase64']],
    ['renamed fields', FILE, { ...byFile, BestFrame: { Link: LINK, Md5: MD5 } }, ['BestFrame.MD5', 'BestFrame.Url']],
  ])('of another shape is never taken for an absent one: %s', (_how, call, reply, fields) => {
    const checked = checkReply(call, reply);
    expect(checked).toMatchObject({ usable: true, frameReadable: false, trouble: { fields } });
    expect(checked.text('Result')).toBe('Success');
  });

  it('is readable if only its size has another shape', () => {
    const checked = checkReply(FILE, { ...byFile, BestFrame: { ...byFile.BestFrame, Size: '17' } });
    expect(checked).toMatchObject({ frameReadable: true, trouble: { fields: ['BestFrame.Size'] } });
    expect(checked.text('BestFrame.Url')).toBe(LINK);
  });
});

describe('a list', () => {
  const opinion = (list: unknown) =>
    checkReply('DetectAIFakeFaces', { ...REPLIES.DetectAIFakeFaces, AttackRiskDetailList: list });

  it('is read item by item', () => {
    const checked = opinion([{ Type: 'a' }, { Type: '' }, { Type: 'b', More: 1 }]);
    expect(checked.trouble).toBeNull();
    expect(checked.texts('AttackRiskDetailList', 'Type')).toEqual(['a', 'b']);
  });

  it.each([undefined, null, []])('may be absent: %j', (list) => {
    expect([opinion(list).trouble, opinion(list).texts('AttackRiskDetailList', 'Type')]).toEqual([null, []]);
  });

  it.each<readonly [unknown, string]>([
    ['text', 'AttackRiskDetailList'],
    [{ Type: 'a' }, 'AttackRiskDetailList'],
    [['a'], 'AttackRiskDetailList[]'],
    [[null], 'AttackRiskDetailList[]'],
    [[{ Type: 'a' }, { Type: 7 }], 'AttackRiskDetailList[].Type'],
  ])('of another shape is reported, and not read: %j', (list, field) => {
    const checked = opinion(list);
    expect(checked).toMatchObject({ usable: true, trouble: { fields: [field] } });
    expect(checked.texts('AttackRiskDetailList', 'Type')).toEqual([]);
  });

  it('inside an object is checked too', () => {
    const ExtraInfo = { RetrievalLivenessExtraInfo: [{ HitGroup: 'Common', SimilarityScore: '0.93' }] };
    expect(checkReply('DetectAIFakeFaces', { ...REPLIES.DetectAIFakeFaces, ExtraInfo })).toMatchObject({
      trouble: { fields: ['ExtraInfo.RetrievalLivenessExtraInfo[].SimilarityScore'] },
    });
  });
});

describe('a field that is needed', () => {
  it.each<readonly [VendorCallName, string]>([
    [FIELDS, 'Result'],
    [FILE, 'Result'],
    ['DetectAIFakeFaces', 'AttackRiskLevel'],
    ['CreateUploadUrl', 'UploadUrl'],
    ['CreateUploadUrl', 'ResourceUrl'],
    ['CreateUploadUrl', 'ExpiredTimestamp'],
    ['CreateUploadUrl', 'RequestId'],
    ['GenerateReflectSequence', 'ReflectSequenceUrl'],
    ['GenerateReflectSequence', 'ReflectSequenceMd5'],
  ])('%s is not usable without %s', (call, field) => {
    for (const value of [undefined, null, '', {}, [], true, -1]) {
      expect([value, checkReply(call, { ...REPLIES[call], [field]: value }).usable]).toEqual([value, false]);
    }
  });

  it.each([null, undefined, 'text', 7, []])('is missing if the reply is no object: %j', (reply) => {
    expect(checkReply(FIELDS, reply)).toMatchObject({ usable: false });
  });
});

describe('a value', () => {
  const text = (value: unknown) => checkReply(FIELDS, { ...byFields, RequestId: value });
  const sim = (value: unknown) => checkReply(FIELDS, { ...byFields, Sim: value });
  const link = (value: unknown) => checkReply(FIELDS, { ...byFields, BestFrameUrl: value });
  const md5 = (value: unknown) => checkReply(FIELDS, { ...byFields, BestFrameMd5: value });
  const size = (value: unknown) => checkReply(FILE, { ...byFile, BestFrame: { ...byFile.BestFrame, Size: value } });

  it.each([0, 100, 55.5])('%d is a percentage', (value) => {
    expect(sim(value).trouble).toBeNull();
    expect(sim(value).number('Sim')).toBe(value);
  });

  it('is returned only if it has the documented shape', () => {
    expect(text(7).text('RequestId')).toBeNull();
    expect(text('').text('RequestId')).toBeNull();
    expect(text('').trouble).toBeNull();
    expect(checkReply(FILE, byFile).number('BestFrame.Size')).toBe(17);
    expect(checkReply(FILE, { ...byFile, BestFrame: LINK }).text('BestFrame.Url')).toBeNull();
    expect(checkReply(FIELDS, byFields).text('No.Such')).toBeNull();
  });

  it.each(['https://', 'http://a.example', 'xhttps://a.example', 'https//a', {}, 5])('%j is no link', (value) => {
    expect(link(value).trouble?.fields).toEqual(['BestFrameUrl']);
  });

  it.each([`${MD5}a`, MD5.slice(1), `x${MD5}`, `${MD5.slice(1)}g`, 5])('%j is no MD5', (value) => {
    expect(md5(value).trouble?.fields).toEqual(['BestFrameMd5']);
  });

  it('may be an MD5 in upper case', () => expect(md5(MD5.toUpperCase()).trouble).toBeNull());

  it.each([0, -1, 1.5, 2 ** 53, '17'])('%j is no whole number above 0', (value) => {
    expect(size(value).trouble?.fields).toEqual(['BestFrame.Size']);
  });

  it('may be 1', () => expect(size(1).trouble).toBeNull());
});

describe('a successful answer', () => {
  it('must have the fields of its frame', () => {
    expect(checkReply(FIELDS, reflect).trouble?.fields).toEqual(['BestFrameMd5', 'BestFrameUrl']);
    expect(checkReply(FILE, reflect).trouble?.fields).toEqual(['BestFrame.MD5', 'BestFrame.Url']);
  });

  it('with another Result must have an MD5 if it has a link', () => {
    const other = { Result: 'FailedOperation.CompareLowSimilarity', RequestId: 'r-1', BestFrameUrl: LINK };
    expect(checkReply(FIELDS, other)).toMatchObject({ frameReadable: false, trouble: { fields: ['BestFrameMd5'] } });
  });

  it('sorts the fields that are not as documented', () => {
    const checked = checkReply(FIELDS, { ...byFields, RequestId: 7, BestFrameUrl: 7, Sim: 'x' });
    expect(checked.trouble).toEqual({
      fields: ['BestFrameUrl', 'RequestId', 'Sim'],
      shape: '{Result:string,Description:string,Sim:string,RequestId:number,BestFrameUrl:number,BestFrameMd5:string}',
    });
  });
});

it.each([-1, 100.01, 9_261, '92', Number.NaN, true])('a Sim of %j is no similarity', (Sim) => {
  const checked = checkReply(FIELDS, { ...byFields, Sim });
  expect(checked).toMatchObject({ usable: true, frameReadable: true, trouble: { fields: ['Sim'] } });
  expect(checked.number('Sim')).toBeNull();
});

describe('the shape of a reply', () => {
  it('has field names and types, and no value', () => {
    expect(describeShape(byFile)).toBe(
      '{Result:string,Description:string,Sim:number,RequestId:string,BestFrame:{Url:string,MD5:string,Size:number}}',
    );
    expect(describeShape([{ a: null, b: [1], c: [] }])).toBe('[{a:null,b:[number],c:[]}]');
  });

  it('hides names that may be values, and stays short', () => {
    expect(describeShape({ 'maria@example.com': 1, [LINK]: 1, ok: true })).toBe('{?:number,?:number,ok:boolean}');
    const deep = { a: { b: { c: { d: { e: 1 } } } } };
    expect(describeShape(deep)).toBe('{a:{b:{c:{d:{}}}}}');
    const wide = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`field${index}`, { value: index }]));
    expect(describeShape(wide).length).toBe(600);
    const fields = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, 1]));
    expect(describeShape(fields).match(/number/g)).toHaveLength(40);
    expect(describeShape([[[[[1]]]]])).toBe('[[[[[]]]]]');
    for (const name of ['a b', '1a', 'a_b', 'a'.repeat(41), ''])
      expect(describeShape({ [name]: 1 })).toBe('{?:number}');
    for (const name of ['a', 'Z9', 'a'.repeat(40)]) expect(describeShape({ [name]: 1 })).toBe(`{${name}:number}`);
    expect([null, 1, 'x', true, [], {}].map(describeShape)).toEqual([
      'null',
      'number',
      'string',
      'boolean',
      '[]',
      '{}',
    ]);
  });
});
