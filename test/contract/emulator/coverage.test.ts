/**
 * Maps every action, route, kind of fault and code of the emulator to a test. The keys of these maps are compared with the
 * emulator's source, so this test fails if the emulator gets a new answer that no test covers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const SOURCE = join(import.meta.dirname, '..', '..', '..', 'src', 'emulator');

const COVERED: Readonly<Record<string, string>> = {
  'faceid ApplyLivenessToken': 'issues tokens that differ, for a phone that must start while the token lives',
  'faceid ApplySdkVerificationToken': 'issues tokens that differ, for a phone that must start while the token lives',
  'faceid ApplyWebVerificationBizTokenIntl':
    'issues tokens that differ, for a phone that must start while the token lives',
  'faceid CompareFaceLiveness': 'answers as the card in the video specifies, with the frame as Base64: %s',
  'faceid DetectAIFakeFaces': 'answers the risk that the card specifies: %s',
  'faceid GetFaceIdResultIntl':
    'answers that nothing is finished, until the phone has finished, which may be after the token has expired',
  'faceid GetFaceIdTokenIntl': 'issues tokens that differ, for a phone that must start while the token lives',
  'faceid GetLivenessResult':
    'answers that nothing is finished, until the phone has finished, which may be after the token has expired',
  'faceid GetSdkVerificationResult':
    'answers that nothing is finished, until the phone has finished, which may be after the token has expired',
  'faceid GetWebVerificationResultIntl':
    'answers that nothing is finished, until the phone has finished, which may be after the token has expired',
  'faceid CreateUploadUrl': 'returns links that work with PUT, then GET: %s',
  'faceid DetectReflectLivenessAndCompare': 'answers for test card %s',
  'faceid GenerateReflectSequence': 'returns a link to a sequence and its MD5, and bills nothing: %s',
  'faceid VideoLivenessCompare': 'answers as the card in the video specifies: %s',

  'sts AssumeRole': 'AssumeRole issues keys for FaceID and COS, for as long as they were asked for',
  'sts AssumeRoleWithWebIdentity': 'AssumeRoleWithWebIdentity needs no signature',
  'sts GetFederationToken': 'GetFederationToken takes a policy',

  'code AuthFailure.InvalidAuthorization': 'answers InvalidAuthorization without an Authorization header',
  'code AuthFailure.SecretIdNotFound': 'answers SecretIdNotFound for an unknown id or the vendor’s own id',
  'code AuthFailure.SignatureExpire': 'answers SignatureExpire if clocks differ by %i ms',
  'code AuthFailure.SignatureFailure': 'answers SignatureFailure for a wrong key',
  'code AuthFailure.TokenFailure': 'answers TokenFailure for expired credentials and for a missing or wrong token',
  'code EmulatorBadCard': 'refuses a misspelt card: %s',
  'code FailedOperation.DownLoadError': 'answers DownLoadError for deleted objects, bad signatures and unknown buckets',
  'code FailedOperation.ImageDecodeFailed': 'answers a photo with %s',
  'code FailedOperation.LifePhotoDetectFaces': 'answers a photo with %s',
  'code FailedOperation.LifePhotoSizeError': 'answers a photo with %s',
  'code FailedOperation.LipSizeError': 'refuses %s',
  'code FailedOperation.LipVideoInvalid': 'refuses %s',
  'code FailedOperation.LivessUnknownError': 'answers LivessUnknownError for a liveness package that %s',
  'code FailedOperation.DetectEngineSystemError': 'answers an error for a face that it cannot judge: %s',
  'code FailedOperation.ImageSizeTooLarge': '%s refuses a photo over 8 MB',
  'code FailedOperation.IncompleteFace': 'answers an error for a face that it cannot judge: %s',
  'code FailedOperation.CoveredFace': 'answers an error for a face that it cannot judge: %s',
  'code FailedOperation.PoorImageQuality': 'answers an error for a face that it cannot judge: %s',
  'code FailedOperation.VideoDecodeFailed': 'answers an error for content of another type',
  'code InvalidParameterValue.BizTokenExpired': 'answers BizTokenExpired once the life of the result is over',
  'code InvalidParameterValue.BizTokenIllegal':
    'answers BizTokenIllegal for an unknown token, and for a token of another action or region',
  'code RequestSizeLimitExceeded': 'answers RequestSizeLimitExceeded for a body over 10 MB',
  'code UnsupportedOperation': 'answers UnsupportedOperation for an encrypted request',
  'code InvalidAction': 'answers InvalidAction for an unknown action',
  'code InvalidParameter': 'answers InvalidParameter for a value of the wrong type',
  'code InvalidParameter.OverTimeError': 'refuses %s %j',
  'code InvalidParameter.ParamError': 'refuses %s %j',
  'code InvalidParameter.StrategyFormatError': 'refuses %s %j',
  'code InvalidParameterValue': 'answers InvalidParameterValue for a wrong TargetAction or LivenessType',
  'code InvalidRequest': 'answers InvalidRequest for a body that is not a JSON object',
  'code MissingParameter': 'answers MissingParameter with the parameter’s name',
  'code NoSuchVersion': 'answers NoSuchVersion for an unknown version',
  'code RequestLimitExceeded': 'answers RequestLimitExceeded above the action’s calls per second',
  'code Success': 'answers a match with a BestFrame link that lives two hours and has another host than the inputs',
  'code UnknownParameter': 'answers UnknownParameter with the parameter’s name',
  'code UnsupportedProtocol': 'answers UnsupportedProtocol for PUT',
  'code UnsupportedRegion': 'answers UnsupportedRegion for an unknown region',
  'message invalid resourceUrl': 'answers invalid resourceUrl for another region or host, or an invalid URL',
  'message MD5 Error': 'answers MD5 Error for an object that was overwritten after hashing',

  'cos AbortMultipartUpload': 'can be aborted, after which nothing is left of them: NoSuchUpload',
  'cos CompleteMultipartUpload': 'become one object with the headers of their beginning',
  'cos CopyObject': 'copies an object with its content type',
  'cos DeleteBucket': 'DELETE removes a bucket once it is empty',
  'cos DeleteBucketLifecycle': 'DELETE ?lifecycle removes all rules',
  'cos DeleteMultipleObjects': 'deletes what exists and reports all, or nothing if quiet',
  'cos DeleteObject': 'DELETE is idempotent',
  'cos GetBucket': 'GET lists objects by key, page by page',
  'cos GetBucketACL': '?acl can be read and set; buckets are private by default, and public ones can be read unsigned',
  'cos GetBucketLifecycle': '?lifecycle can be read and set; a bucket has no rules at first',
  'cos GetBucketLocation': 'GET ?location names the bucket’s region',
  'cos GetBucketObjectVersions': 'GET ?versions lists all versions page by page, each object’s newest first',
  'cos GetBucketVersioning': '?versioning can be read and set to each status',
  'cos GetObject': 'answers Range %s',
  'cos GetService': 'GET of a service or region host lists the account’s buckets',
  'cos HeadBucket': 'HEAD finds a bucket only in its own region',
  'cos HeadObject': 'HEAD returns size, type and ETag, and its errors have no body',
  'cos InitiateMultipartUpload': 'become one object with the headers of their beginning',
  'cos ListMultipartUploads': 'list their parts, and a bucket lists its uploads, page by page',
  'cos ListParts': 'list their parts, and a bucket lists its uploads, page by page',
  'cos PutBucket': 'PUT creates a bucket once',
  'cos PutBucketACL': '?acl can be read and set; buckets are private by default, and public ones can be read unsigned',
  'cos GetBucketObjectLockConfiguration':
    'is missing until it is enabled, and then stays, with or without default days',
  'cos PutBucketObjectLockConfiguration':
    'is missing until it is enabled, and then stays, with or without default days',
  'cos GetObjectRetention': 'can be locked for longer, and not for less',
  'cos PutObjectRetention': 'can be locked for longer, and not for less',
  'cos PutBucketLifecycle': '?lifecycle can be read and set; a bucket has no rules at first',
  'cos PutBucketVersioning': '?versioning can be read and set to each status',
  'cos PutObject': 'accepts a correct Content-MD5 and any key',
  'cos UploadPart': 'become one object with the headers of their beginning',
  'cos UploadPartCopy': 'copy parts of objects',

  'code AccessDenied': 'answers AccessDenied without a signature or with a malformed time',
  'code BadDigest': 'answers BadDigest for a wrong Content-MD5 and stores nothing',
  'code BucketAccelerateNotEnabled': 'answers BucketAccelerateNotEnabled on the acceleration domain',
  'code BucketAlreadyOwnedByYou': 'PUT creates a bucket once',
  'code BucketNotEmpty': 'DELETE removes a bucket once it is empty',
  'code EntityTooSmall':
    'answer InvalidPart, InvalidPartOrder, EntityTooSmall or MalformedXML for parts that make no object',
  'code FileAlreadyExists': 'are not overwritten with x-cos-forbid-overwrite, unless their bucket has versioning',
  'code ExpiredToken': 'answers ExpiredToken for an expired token',
  'code InvalidAccessKeyId': 'answers InvalidAccessKeyId for an unknown id and for a missing or wrong token',
  'code InvalidArgument': 'answers InvalidArgument or MalformedXML for invalid settings and changes nothing',
  'code InvalidBucketName':
    'PUT answers AccessDenied for another account’s APPID, and InvalidBucketName for a wrong name',
  'code InvalidDigest': 'answers InvalidDigest for a malformed Content-MD5',
  'code InvalidPart':
    'answer InvalidPart, InvalidPartOrder, EntityTooSmall or MalformedXML for parts that make no object',
  'code InvalidPartOrder':
    'answer InvalidPart, InvalidPartOrder, EntityTooSmall or MalformedXML for parts that make no object',
  'code InvalidRange': 'answers InvalidRange for a range past the end',
  'code InvalidURI': 'answers InvalidURI for malformed percent-encoding',
  'code KeyTooLong': 'answers KeyTooLong above 850 bytes',
  'code MalformedXML': 'answers InvalidArgument or MalformedXML for invalid settings and changes nothing',
  'code MethodNotAllowed': 'answers MethodNotAllowed by name for sub-resources of a bucket, and changes nothing',
  'code MissingContentLength': 'answers MissingContentLength for a PUT without a length',
  'code NoSuchBucket': 'answers NoSuchBucket for another region or name',
  'code NoSuchKey': 'answers NoSuchKey for a missing object',
  'code InvalidBucketState': 'does not go with suspended versioning',
  'code NoSuchObjectLockConfiguration': 'can be locked for longer, and not for less',
  'code ObjectLockConfigurationNotFoundError':
    'is missing until it is enabled, and then stays, with or without default days',
  'code NoSuchLifecycleConfiguration': '?lifecycle can be read and set; a bucket has no rules at first',
  'code NoSuchUpload': 'can be aborted, after which nothing is left of them: NoSuchUpload',
  'code NotImplemented': 'answers NotImplemented by name for headers that ask for something else, and stores nothing',
  'code NotModified': 'GET and HEAD with %s: %s answer %i',
  'code OK': 'copies an object with its content type',
  'code PreconditionFailed': 'of a copy answer PreconditionFailed and copy nothing',
  'code RequestTimeTooSkewed': 'answers %s if clocks differ, until the SDK corrects its clock from the Date header',
  'code SignatureDoesNotMatch': 'answers SignatureDoesNotMatch for a wrong secret',

  'code aborted': 'logs an aborted upload and stores nothing',
  'code dropped': 'drop before: the call is not executed and never answered',

  'fault cut': 'cut: sends half of the answer',
  'fault delay': 'delay: answers after the delay',
  'fault drop': 'drop after: the call is executed and billed but never answered',
  'fault error': 'error: answers an error once without executing the call',
  'fault hold': 'hold before: the call is not executed until it is released',
  'fault result': 'result: answers a Result that is billed as usual, and never applies to COS',
  'fault shape': 'shape: performs the call, then moves, removes and sets fields of its answer',
  'fault status': 'status: answers an HTTP status as a gateway would',

  'control DELETE /faults':
    'POST /faults adds a fault, POST /faults/release releases it, and DELETE /faults clears all',
  'control GET /calls': 'GET /calls filters calls and can wait for a number of calls',
  'control GET /health': 'GET /health reports that the emulator runs',
  'control GET /objects': 'PUT /objects stores objects and GET /objects lists them',
  'control GET /phone': 'GET /phone has a button for each card and step, and POST /phone does what the buttons say',
  'control POST /phone': 'GET /phone has a button for each card and step, and POST /phone does what the buttons say',
  'control GET /sessions': 'GET /sessions lists sessions, and POST /sessions/play takes their steps',
  'control POST /sessions/play': 'GET /sessions lists sessions, and POST /sessions/play takes their steps',
  'control GET /settings': 'GET /settings reads the settings, and PATCH /settings keeps those that it does not name',
  'control GET /versions': 'GET /versions lists all versions and delete markers',
  'control PATCH /settings': 'GET /settings reads the settings, and PATCH /settings keeps those that it does not name',
  'control POST /faults': 'POST /faults adds a fault, POST /faults/release releases it, and DELETE /faults clears all',
  'control POST /faults/release':
    'POST /faults adds a fault, POST /faults/release releases it, and DELETE /faults clears all',
  'control POST /reset':
    'POST /reset clears faults, origins, settings and logged calls, and keeps objects and the log file',
  'control PUT /objects': 'PUT /objects stores objects and GET /objects lists them',
  'control PUT /origins': 'PUT /origins publishes a page',
};

function readSources(folder: string, ending: string): string {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending) && name !== 'coverage.test.ts');
  return names.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n');
}

function captures(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found);
}

function findAnswers(): string[] {
  const source = readSources(SOURCE, '.ts');
  const names = [
    ...captures(source, /(?:ApiFailure\(|code:|wrongContent\(|unusableImage\(|denied\()\s*'([A-Za-z.]+)'/g).map(
      (code) => `code ${code}`,
    ),
    ...captures(source, /'(invalid resourceUrl|MD5 Error)'/g).map((message) => `message ${message}`),
    ...captures(source, /^ {2}(\w+): \{\s*required: /gm).map((action) => `faceid ${action}`),
    ...captures(source, /^ {2}(\w+): \{\s*mandatory: /gm).map((action) => `sts ${action}`),
    ...captures(source, /^ {2}'[A-Z]+ (?:service|bucket|object)[^']*': \{\s*name: '(\w+)'/gm).map(
      (name) => `cos ${name}`,
    ),
    ...captures(source, /kind: z\.literal\('(\w+)'\)/g).map((kind) => `fault ${kind}`),
    ...captures(source, /'((?:GET|PUT|POST|PATCH|DELETE) \/[a-z/]+)'/g).map((route) => `control ${route}`),
  ];
  return [...new Set(names)].sort();
}

it('names a test for exactly the answers of the emulator', () => {
  expect(Object.keys(COVERED).sort()).toEqual(findAnswers());
});

it('names only existing tests', () => {
  const tests = readSources(import.meta.dirname, '.test.ts');
  const missing = Object.values(COVERED).filter(
    (title) => !tests.includes(`'${title}'`) && !tests.includes(`"${title}"`),
  );
  expect(missing).toEqual([]);
});
