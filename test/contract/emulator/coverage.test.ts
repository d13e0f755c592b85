/**
 * Every action, route, kind of fault and code that the emulator can answer names the test that has seen it. What there is is
 * read from the source, so that something new without a test fails here.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SOURCE = join(import.meta.dirname, '..', '..', '..', 'src', 'emulator');

const COVERED: Readonly<Record<string, string>> = {
  'faceid CreateUploadUrl': 'gives a pair of links that works with PUT, then GET: %s',
  'faceid DetectReflectLivenessAndCompare': 'test card %s',
  'faceid GenerateReflectSequence': 'gives a sequence by a link, with its MD5, and bills nothing: %s',
  'faceid VideoLivenessCompare': 'answers by the card in the video: %s',

  'code AuthFailure.InvalidAuthorization': 'InvalidAuthorization: none that could be read',
  'code AuthFailure.SecretIdNotFound': 'SecretIdNotFound: an unknown id, also one of the vendor’s own',
  'code AuthFailure.SignatureExpire': 'SignatureExpire: clocks that are %i ms apart',
  'code AuthFailure.SignatureFailure': 'SignatureFailure: a wrong key',
  'code AuthFailure.TokenFailure':
    'TokenFailure: temporary credentials without their token, with another, or past their time',
  'code EmulatorBadCard': 'does not take a misspelt card for a match: %s',
  'code FailedOperation.DownLoadError': 'DownLoadError: deleted, unsigned, altered, of no bucket',
  'code FailedOperation.ImageDecodeFailed': 'photo: %s',
  'code FailedOperation.ImageSizeTooLarge': 'photo: %s',
  'code FailedOperation.LifePhotoDetectFaces': 'photo: %s',
  'code FailedOperation.LifePhotoSizeError': 'photo: %s',
  'code FailedOperation.LipSizeError': 'refuses %s',
  'code FailedOperation.LipVideoInvalid': 'refuses %s',
  'code FailedOperation.LivessUnknownError': 'a liveness package that is no gzip',
  'code InvalidAction': 'InvalidAction',
  'code InvalidParameter': 'InvalidParameter: a value of another type',
  'code InvalidParameterValue': 'InvalidParameterValue: TargetAction, LivenessType',
  'code InvalidRequest': 'InvalidRequest: a body that is no JSON object',
  'code MissingParameter': 'MissingParameter, with its name',
  'code NoSuchVersion': 'NoSuchVersion',
  'code RequestLimitExceeded': 'RequestLimitExceeded over the calls a second, by action',
  'code Success': 'answers a match with a BestFrame that can be had for two hours, on another host than the inputs',
  'code UnknownParameter': 'UnknownParameter, with its name',
  'code UnsupportedProtocol': 'UnsupportedProtocol: PUT',
  'code UnsupportedRegion': 'UnsupportedRegion',
  'message invalid resourceUrl': 'invalid resourceUrl: another region, another host, no URL',
  'message MD5 Error': 'MD5 Error: an object overwritten after its MD5 was taken',

  'cos CopyObject': 'copies, with the type of the source',
  'cos DeleteBucket': 'MethodNotAllowed: what the emulator does not do, without harm to objects',
  'cos DeleteObject': 'DELETE removes, and again is the same as once',
  'cos GetBucket': 'GET lists objects by their keys, page by page',
  'cos GetBucketACL': 'GET and PUT ?acl: private by default, and a public bucket is public',
  'cos GetBucketLifecycle': 'GET and PUT ?lifecycle: none, then the rules that were given',
  'cos GetBucketObjectVersions': 'GET ?versions lists all of them, page by page, the newest of each object first',
  'cos GetBucketVersioning': 'GET and PUT ?versioning: never on, on, suspended',
  'cos GetObject': 'Range %s',
  'cos HeadBucket': 'HEAD finds its own, in its region only',
  'cos HeadObject': 'HEAD shows size, type and ETag, and no body says why it fails',
  'cos PutBucket': 'PUT makes one, once',
  'cos PutBucketACL': 'GET and PUT ?acl: private by default, and a public bucket is public',
  'cos PutBucketLifecycle': 'GET and PUT ?lifecycle: none, then the rules that were given',
  'cos PutBucketVersioning': 'GET and PUT ?versioning: never on, on, suspended',
  'cos PutObject': 'takes a Content-MD5 that is right, and any key',

  'code AccessDenied': 'AccessDenied: no signature, one without a time',
  'code BadDigest': 'BadDigest: a Content-MD5 of something else, and nothing is stored',
  'code BucketAlreadyOwnedByYou': 'PUT makes one, once',
  'code ExpiredToken': 'ExpiredToken',
  'code InvalidAccessKeyId': 'InvalidAccessKeyId: an unknown id, or a token that is not its own',
  'code InvalidArgument': 'InvalidArgument, MalformedXML: settings that are none, and nothing changes',
  'code InvalidDigest': 'InvalidDigest: a Content-MD5 that is none',
  'code InvalidRange': 'InvalidRange: behind the end',
  'code InvalidURI': 'InvalidURI: a path that is no percent encoding',
  'code MalformedXML': 'InvalidArgument, MalformedXML: settings that are none, and nothing changes',
  'code MethodNotAllowed': 'MethodNotAllowed: what the emulator does not do, without harm to objects',
  'code NoSuchBucket': 'NoSuchBucket: another region, another name',
  'code NoSuchKey': 'NoSuchKey',
  'code NoSuchLifecycleConfiguration': 'GET and PUT ?lifecycle: none, then the rules that were given',
  'code OK': 'copies, with the type of the source',
  'code RequestTimeTooSkewed': '%s: clocks that are apart, which the SDK then mends by the Date header',
  'code SignatureDoesNotMatch': 'SignatureDoesNotMatch: a wrong secret',

  'code aborted': 'is seen whole or not at all: a body that breaks off leaves nothing, and the log has it',
  'code dropped': 'drop before: not done, never answered',

  'fault cut': 'cut: half of the answer',
  'fault delay': 'delay: the answer comes, but not before',
  'fault drop': 'drop after: done and billed, never answered',
  'fault error': 'error: says it, does nothing, and only once',
  'fault hold': 'hold before: not done until it is released',
  'fault result': 'result: FaceID’s other channel, billed where such a result is, and none of COS’s business',
  'fault status': 'status: as a gateway answers',

  'control DELETE /faults': 'POST /faults, POST /faults/release, DELETE /faults',
  'control GET /calls': 'GET /calls: finds, and waits until there are as many',
  'control GET /health': 'GET /health',
  'control GET /objects': 'PUT /objects and GET /objects',
  'control GET /settings': 'GET /settings and PATCH /settings: what is not named stays',
  'control GET /versions': 'GET /versions: all of them, and what is deleted',
  'control PATCH /settings': 'GET /settings and PATCH /settings: what is not named stays',
  'control POST /faults': 'POST /faults, POST /faults/release, DELETE /faults',
  'control POST /faults/release': 'POST /faults, POST /faults/release, DELETE /faults',
  'control POST /reset': 'POST /reset: faults, origins, settings and the memory of calls go; objects and the file stay',
  'control PUT /objects': 'PUT /objects and GET /objects',
  'control PUT /origins': 'PUT /origins',
};

function textOf(folder: string, ending: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending) && name !== 'coverage.test.ts');
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found);
}

function answered(): string[] {
  const source = textOf(SOURCE, '.ts');
  const [, actionOf = ''] = /function actionOf\(([\s\S]*?)\n}/.exec(source) ?? [];
  const [, settings = ''] = /const BUCKET_SETTINGS[^{]*\{([\s\S]*?)\n}/.exec(source) ?? [];
  const verbs = all(actionOf, /[A-Z]+: '([A-Z][a-z]+)'/g);
  const names = [
    ...all(source, /(?:ApiFault\(|code:|wrong\(|denied\()\s*'([A-Za-z.]+)'/g).map((code) => `code ${code}`),
    ...all(source, /'(invalid resourceUrl|MD5 Error)'/g).map((message) => `message ${message}`),
    ...all(source, /^ {2}(\w+): \{ required: /gm).map((action) => `faceid ${action}`),
    ...verbs.flatMap((verb) => [`cos ${verb}Object`, `cos ${verb}Bucket`]),
    'cos CopyObject',
    'cos GetBucketObjectVersions',
    ...all(settings, /: '(\w+)'/g).flatMap((name) => [`cos GetBucket${name}`, `cos PutBucket${name}`]),
    ...all(source, /kind: z\.literal\('(\w+)'\)/g).map((kind) => `fault ${kind}`),
    ...all(source, /'((?:GET|PUT|POST|PATCH|DELETE) \/[a-z/]+)'/g).map((route) => `control ${route}`),
  ];
  return [...new Set(names)].sort();
}

it('names a test for everything that the emulator can answer, and for nothing else', () => {
  expect(Object.keys(COVERED).sort()).toEqual(answered());
});

it('names tests that there are', () => {
  const tests = textOf(import.meta.dirname, '.test.ts');
  const missing = Object.values(COVERED).filter(
    (title) => !tests.includes(`'${title}'`) && !tests.includes(`"${title}"`),
  );
  expect(missing).toEqual([]);
});
