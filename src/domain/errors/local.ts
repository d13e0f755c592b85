/** Errors that Bestframe itself reports. */
import type { Code } from './codes.ts';
import {
  type ErrorClass,
  type ErrorEntry,
  type Hint,
  hintWords,
  RETRIES,
  type RejectedDecision,
  type Retake,
} from './entry.ts';
import { LOW_SIMILARITY_HINT } from './faceid.ts';

type Row = readonly [kind: ErrorClass, title: string, explanation: string, advice: Hint, billed?: ErrorEntry['billed']];

/** Nobody needs to act: Bestframe recovers by itself, or there is nothing to fix. */
const NOTHING = '';

const RETAKE: Readonly<Partial<Record<string, Retake>>> = {
  REUSED_LIVE_DATA: 'liveness',
  SESSION_NOT_STARTED: 'liveness',
  SESSION_ABANDONED: 'liveness',
  SESSION_EXPIRED: 'liveness',
};

/** The decisions of Bestframe's own codes of class `rejected`. */
const DECISIONS: Readonly<Partial<Record<string, RejectedDecision>>> = {
  BELOW_THRESHOLD: 'no_match',
  FAKE_SUSPECTED: 'not_live',
  SESSION_NOT_STARTED: 'not_started',
  SESSION_ABANDONED: 'abandoned',
  SESSION_EXPIRED: 'expired',
};

/** The type requires every code, so the compiler rejects a code without an entry. */
const ROWS: Readonly<Record<Code, Row>> = {
  INVALID_VERIFICATION: [
    'caller',
    'The request is not valid',
    'A field is missing, unknown or wrong. Nothing was stored.',
    {
      caller: 'Correct the named field. docs/integration.md describes the fields.',
      operator: '`bestframe enqueue --help` lists the accepted values.',
    },
  ],
  INVALID_MANIFEST: [
    'caller',
    'A manifest line is not valid',
    'The line cannot be parsed. All other lines were processed.',
    'Correct the named line and enqueue the manifest again. Lines that were accepted before are recognized by their keys.',
  ],
  INVALID_TAPE: [
    'account',
    'The tape is not valid',
    'The file is not a tape of this version. Nothing was compared.',
    'Write a new one with `bestframe doctor --live --tape FILE`.',
  ],
  INVALID_SEQUENCE: [
    'caller',
    'The request for a light sequence is not valid',
    'A field is missing, unknown or wrong. Nothing was sent to Tencent.',
    'Correct the named field. docs/integration.md lists the accepted values.',
  ],
  KEY_CONFLICT: [
    'caller',
    'The key was already used with a different payload',
    'An earlier request used this key with other resources or settings.',
    'Use a new key for a new check. The same key always means the same verification.',
  ],
  KEY_GONE: [
    'caller',
    'The verification with this key was erased',
    'Its record was deleted on request and cannot be created again.',
    'Use a new key.',
  ],
  SAME_RESOURCE: [
    'caller',
    'Both resources are the same file',
    'Comparing a file with itself proves nothing, and Tencent would bill it.',
    'Give the LiveData package and a photo from another origin.',
  ],
  REUSED_LIVE_DATA: [
    'caller',
    'The LiveData package was used before',
    'Another verification already got an answer for the same package, or too many photos of it could not be used. It proves that the person was there then, not now. Nothing was paid.',
    {
      person: 'Please record again.',
      caller: 'Take a new recording.',
      operator:
        'If one package is checked against several photos on purpose, set BESTFRAME_REUSED_LIVE_DATA=warn. BESTFRAME_PHOTO_RETRIES limits the further photos after a photo that could not be used.',
    },
  ],
  SOURCE_MISSING: [
    'caller',
    'The resource does not exist',
    'There is no file or object at this location.',
    'Correct the path or key. A worker must see the same path as the caller.',
  ],
  SOURCE_UNREADABLE: [
    'caller',
    'The resource cannot be read',
    'It is not a regular file, or its permissions forbid reading.',
    'Give the user that runs the workers permission to read it.',
  ],
  SOURCE_OUTSIDE_ROOTS: [
    'caller',
    'The file is outside the allowed folders',
    'Bestframe reads files only inside the configured folders, and follows no symbolic links below them.',
    {
      caller: 'Move the file into a folder that the operator of Bestframe allows.',
      operator: 'To allow its folder, add it to BESTFRAME_FILE_ROOTS.',
    },
  ],
  SOURCE_EMPTY: [
    'caller',
    'The resource is empty',
    'It has 0 bytes.',
    'Give the complete file. The upload from the phone may have been interrupted.',
  ],
  SOURCE_TOO_LARGE: [
    'caller',
    'The resource is too large',
    'It is larger than this call accepts, or unpacks to too much.',
    'Give a smaller file. docs/settings.md lists the limits.',
  ],
  SOURCE_NOT_BYTES: [
    'caller',
    'The resource is Base64 text instead of raw bytes',
    'It is Base64 text or a data: URL. Tencent needs the raw bytes.',
    'Decode it first, and give the raw bytes.',
  ],
  SOURCE_WRONG_KIND: [
    'caller',
    'The resource has the wrong file type',
    'Its first bytes are not those of a file type that this action accepts. The message names what they are, e.g. HEIC or MOV.',
    'Give a gzip package as LiveData, JPEG or PNG as image, MP4, AVI or FLV as video, and the SDK’s Base64 text as device data.',
  ],
  SOURCE_CUT: [
    'caller',
    'The resource is cut off or damaged',
    'It ends before its own end marker, or its checksum does not fit. Tencent could not read it. Nothing was paid.',
    'Send the complete file again. The upload from the phone was probably interrupted: compare its MD5 on the device.',
  ],
  SOURCE_CHANGED: [
    'caller',
    'The resource changed while Bestframe read it',
    'Something wrote to it after its MD5 was computed. Nothing was paid.',
    'Write each resource once and never overwrite it. Then enqueue under a new key.',
  ],
  SOURCE_MD5_MISMATCH: [
    'caller',
    'The resource does not have the given MD5',
    'The MD5 of the bytes differs from the MD5 in the request. Nothing was paid.',
    'Compute the MD5 over the raw bytes (32 hex digits), and check that the request names the right resource.',
  ],
  SOURCE_HTTP: [
    'caller',
    'The source’s server refused the request',
    'The URL answered with an error status.',
    {
      caller: 'Check the URL. A signed link may have expired, or a firewall refuses programs.',
      operator: 'Open the URL from a worker’s machine with `curl -A bestframe`.',
    },
  ],
  SOURCE_BUSY: [
    'throttled',
    'The host of a source is slow',
    'Sources of one host are read in at most half of a worker’s slots, so that others are served meanwhile.',
    { caller: 'See why the host answers slowly.' },
  ],
  SOURCE_UNAVAILABLE: [
    'transient',
    'The source’s server is unavailable',
    'The server of the URL is down, overloaded or unreachable.',
    { caller: 'Check the server of the URL.', operator: 'Check the network between the workers and the server.' },
  ],
  ADDRESS_FORBIDDEN: [
    'caller',
    'The URL leads to a private address',
    'Bestframe connects only to public hosts, also after redirects.',
    'For resources inside your network, use a file or COS source.',
  ],
  NOT_HTTPS: ['caller', 'The URL is not https', 'Faces are only sent over encrypted connections.', 'Use an https URL.'],
  REDIRECT_REFUSED: [
    'caller',
    'The URL redirects too often or to an invalid target',
    'Bestframe follows a few redirects to public https hosts, and no others.',
    'Give the final URL.',
  ],

  PLACE_FORBIDDEN: [
    'caller',
    'The tenant may not use this place',
    'The policy of the tenant does not allow this bucket folder, file folder or host. Whether something exists there was not looked up.',
    {
      caller:
        'Use a place that the operator of Bestframe allows. Every tenant may use its own prefix, `<folder>/t/<tenant>/`.',
      operator:
        '`bestframe tenants show` prints the policy. To allow the place, add it and run `bestframe tenants set`.',
    },
  ],
  INVALID_TENANT: [
    'caller',
    'The policy of the tenant is not valid',
    'A field is missing, unknown or wrong. Nothing was changed.',
    'Correct the named field. docs/tenants.md describes the policy.',
  ],
  TENANT_CONFLICT: [
    'caller',
    'The policy was changed by somebody else',
    'The version in the file is not the version that is stored. Nothing was changed.',
    {
      caller: 'Base your change on the stored version.',
      operator: 'Print the stored policy with `bestframe tenants show`, and make your change there.',
    },
  ],
  INVALID_WEBHOOK: [
    'caller',
    'The webhook endpoint is not valid',
    'One of its fields is wrong. Nothing was registered.',
    'Correct the named field (docs/webhooks.md).',
  ],
  WEBHOOK_UNKNOWN: [
    'caller',
    'There is no webhook endpoint with this name',
    'A verification names an endpoint that an operator registered. This one was never registered, or was removed.',
    {
      caller: 'Correct the name, or ask the operator of Bestframe to register the endpoint.',
      operator:
        'Register the endpoint with `bestframe webhooks add`. Undelivered notifications are kept for 30 days; send them with `bestframe webhooks redeliver`.',
    },
  ],
  WEBHOOK_DISABLED: [
    'caller',
    'The webhook endpoint is disabled',
    'It answered 410 Gone, so Bestframe stopped sending to it.',
    {
      caller: 'Bring the receiver back, and tell the operator of Bestframe.',
      operator:
        'Once the receiver is back, run `bestframe webhooks enable`, then `bestframe webhooks redeliver --endpoint`.',
    },
  ],
  WEBHOOK_RESTING: [
    'transient',
    'The webhook endpoint failed too often in a row',
    'Bestframe sends it only an occasional probe. Its notifications wait for up to three days.',
    {
      caller: 'Repair the receiver, and tell the operator of Bestframe.',
      operator: 'Once the receiver is repaired, run `bestframe webhooks redeliver --endpoint`.',
    },
  ],
  LINK_REGION: [
    'account',
    'The link is not in the region of the API',
    'Tencent would answer “invalid resourceUrl”: it accepts only default COS domains in the region of the API.',
    'Use a bucket in the region of the API (BESTFRAME_BUCKETS).',
  ],
  LINK_UNREADABLE: [
    'reupload',
    'The uploaded object cannot be read through its link',
    'Tencent would answer “DownLoadError”: a GET without credentials failed on the very link that Tencent would fetch.',
    'Check the bucket policy, referer lists and firewall.',
  ],
  LINK_MD5_MISMATCH: [
    'reupload',
    'The object in the bucket is not the one that was uploaded',
    'Tencent would answer “MD5 Error”: the object was overwritten or truncated.',
    'Look for another program that writes to the same folder of the bucket.',
  ],
  LINKS_EXPIRED: [
    'reupload',
    'The upload links expire too soon',
    'Links of CreateUploadUrl are valid for two hours. These could expire before Tencent reads them.',
    NOTHING,
  ],

  INVALID_SETTINGS: [
    'account',
    'A setting is not valid',
    'The process did not start.',
    'Correct the named setting (docs/settings.md).',
  ],
  BUCKET_REGION: [
    'account',
    'The bucket is in another region',
    'The bucket, its links and the API must be in one region.',
    'Correct BESTFRAME_BUCKETS, or create a bucket in the region of the API.',
  ],
  NO_BUCKET: [
    'account',
    'No bucket is configured for this region',
    'Upload way own-bucket needs a bucket in each region that is served.',
    'Add a bucket to BESTFRAME_BUCKETS, or use upload way create-upload-url.',
  ],
  FRAME_BUCKET: [
    'caller',
    'The frame cannot be stored in this bucket',
    'It is not the bucket that the workers are configured with for the region. Nothing was uploaded or paid.',
    'Name the bucket of the deployment as `frame.bucket`, or have the frame stored as a file.',
  ],
  EVIDENCE_BUCKET: [
    'account',
    'The bucket of the evidence cannot be used',
    'It does not exist in the region, has no object lock, or is the bucket of the uploads.',
    'Name a bucket of its own in BESTFRAME_EVIDENCE_BUCKETS, and enable object lock for it in the console of COS.',
  ],
  EVIDENCE_TAKEN: [
    'account',
    'The place of a piece of evidence is taken',
    'The bucket has an object under the name that this verification did not write. It was not replaced.',
    'Give each deployment its own bucket of evidence, or its own BESTFRAME_OBJECT_FOLDER.',
  ],
  EVIDENCE_UNLOCKED: [
    'account',
    'A piece of evidence is not locked',
    'COS stored the object and reports no lock that lasts long enough. It is tried again.',
    'Enable object lock for the bucket in BESTFRAME_EVIDENCE_BUCKETS, and permit name/cos:PutObjectRetention.',
  ],
  EVIDENCE_ALTERED: [
    'caller',
    'The answer in the evidence is not genuine',
    'The sealed answer was changed, or belongs to another verification.',
    'Find out who can write to the bucket of the evidence.',
  ],
  NO_CREDENTIALS: [
    'account',
    'The credentials are missing or refused',
    'No keys are configured, the keys have expired, or STS or the bucket refuses them.',
    'Configure one of the sources in docs/deployment.md#credentials. `bestframe doctor` says which one is used. Check permissions and the clock.',
  ],
  KEYS_UNAVAILABLE: [
    'transient',
    'Temporary keys cannot be obtained at the moment',
    'STS or the metadata service of the instance is down or cannot be reached, and the old keys have expired. Nothing was sent to FaceID.',
    'Run `bestframe doctor`, and check the way to STS or to the metadata service.',
  ],
  SEAL_KEY_MISSING: [
    'account',
    'An encryption key is missing from the key ring',
    'A record in Redis is encrypted with a key that this process does not have, or has under another name.',
    'Give every process the same BESTFRAME_KEY_RING. Do not remove a key while records are encrypted with it.',
  ],
  EMULATOR_IN_LIVE_MODE: [
    'account',
    'The emulator answered in live mode',
    'The server’s certificate comes from the emulator’s CA, so its answers are not real.',
    'Remove the emulator’s proxy and CA settings, or set BESTFRAME_MODE=test.',
  ],

  MODE_MISMATCH: [
    'caller',
    'The mode differs from the deployment’s',
    'Test and live mode never share a deployment, because an answer of the emulator must never pass for a real one. Nothing was paid.',
    {
      caller: 'Use the mode of the deployment.',
      operator: 'Give each mode its own BESTFRAME_PREFIX or its own Redis.',
    },
  ],

  NAMESPACE_MISMATCH: [
    'caller',
    'The namespace is not the deployment’s',
    'The namespace is the secret from which ids are computed. With another one, the same key would be another verification, and would be paid for again. Nothing was stored.',
    {
      caller: 'Use the namespace of the deployment.',
      operator:
        'Give every process and client the same BESTFRAME_NAMESPACE, or the same file in BESTFRAME_NAMESPACE_FILE.',
    },
  ],
  NEWER_RECORD: [
    'account',
    'The verification was started by a newer version of Bestframe',
    'This worker does not know the version of the record, and left it unchanged.',
    'Finish the upgrade by stopping all workers of the older version.',
  ],

  DEPENDENCY_DOWN: [
    'transient',
    'A service that the verification needs is down',
    'Calls to it fail for every verification, so no more are made. One now and then tests whether it works again.',
    '`bestframe gate status` shows the service. If it is yours, repair it.',
  ],
  REGION_UNSERVED: [
    'caller',
    'No worker serves this region',
    'No process of this deployment works on verifications of the region.',
    {
      caller: 'Use a region that this deployment serves, or ask the operator of Bestframe to serve this one.',
      operator: 'Start workers for the region, with the region in BESTFRAME_REGIONS.',
    },
  ],
  CONNECT_REFUSED: [
    'transient',
    'The connection was refused',
    'Nothing listens at this address, or a firewall refuses the connection. Nothing was sent.',
    'Check network and proxy.',
  ],
  CONNECT_TIMEOUT: [
    'transient',
    'The connection timed out',
    'No connection was established in time. Nothing was sent.',
    'Check network and proxy.',
  ],
  DNS_FAILED: [
    'transient',
    'The host name cannot be resolved',
    'DNS does not resolve the name at the moment. Nothing was sent.',
    'Check DNS and the host name.',
  ],
  TLS_FAILED: [
    'transient',
    'The TLS handshake failed',
    'The server’s certificate is not trusted, or a proxy breaks TLS. Nothing was sent.',
    'If a proxy re-signs TLS, set BESTFRAME_CA_FILE to your company’s root certificate.',
  ],
  PROXY_REFUSED: [
    'transient',
    'The proxy refused the connection',
    'The egress proxy does not allow connections to this host. Nothing was sent.',
    'Check BESTFRAME_PROXY, its user name and password, and the rules of the proxy.',
  ],
  TIMEOUT: ['transient', 'The call timed out', 'No answer came in time.', NOTHING, 'unknown'],
  RESET: [
    'transient',
    'The connection was lost',
    'The server closed the connection before its answer was complete.',
    NOTHING,
    'unknown',
  ],
  ABORTED: [
    'transient',
    'The call was aborted',
    'The process is stopping, or another worker took over.',
    NOTHING,
    'unknown',
  ],
  MALFORMED_REPLY: [
    'transient',
    'The answer cannot be parsed',
    'It is truncated, is not JSON, or lacks something that every answer has.',
    'Look for a proxy that rewrites answers.',
    'unknown',
  ],
  REPLY_SHAPE: [
    'transient',
    'Tencent’s answer does not have the documented shape',
    'A documented field is missing or holds something else. If only the frame is affected, the decision stands and `frame` is `unknown_shape`.',
    'Update Bestframe. If there is no update, report it with `bestframe support <id>`, which shows the shape without any value.',
    'unknown',
  ],
  HTTP_3XX: [
    'account',
    'The API answered with a redirect',
    'Tencent’s API never redirects, so something in between answered.',
    'Check the proxy and the endpoint.',
  ],
  HTTP_4XX: [
    'account',
    'A server or proxy refused the request',
    'The request was refused before it reached the API.',
    'Check the proxy and the endpoint.',
  ],
  HTTP_429: ['throttled', 'A server or proxy limits the request rate', 'It answered 429 Too Many Requests.', NOTHING],
  HTTP_5XX: [
    'transient',
    'The server failed',
    'The server or a gateway answered with a 5xx status.',
    NOTHING,
    'unknown',
  ],

  FRAME_MISSING: [
    'caller',
    'BestFrame no longer exists',
    'Tencent has deleted the picture. The decision remains valid.',
    'Continue without the picture. The decision is not affected, and nothing is paid again.',
  ],
  FRAME_EXPIRED: [
    'caller',
    'The link to BestFrame has expired',
    'The link was valid for two hours. The decision remains valid.',
    { caller: 'Continue without the picture.', operator: 'If this happens often, run more workers.' },
  ],
  FRAME_MD5_MISMATCH: [
    'transient',
    'BestFrame arrived damaged',
    'Its MD5 differs from the MD5 that Tencent gave.',
    NOTHING,
  ],
  FRAME_ELSEWHERE: [
    'account',
    'The frame to delete is in another location',
    'It is not in the frames folder of this process. Nothing was deleted.',
    'Set BESTFRAME_FRAMES_DIR of this process to the folder in which the frame was stored, or delete the frame and its receipt by hand.',
  ],
  FRAME_TAKEN: [
    'caller',
    'The frame’s place is taken',
    'A file or object is there that this verification did not write. It was neither replaced nor deleted. The decision stands.',
    'Use another `frame.name` or `frame.key` for each verification, or omit the name.',
  ],
  SINK_FULL: [
    'machine',
    'There is no space for the frame',
    'The disk or the quota of the frames folder is full.',
    'Free some space in BESTFRAME_FRAMES_DIR.',
  ],
  SINK_UNWRITABLE: [
    'machine',
    'The frame cannot be written',
    'The frames folder refuses the write.',
    'Give the workers write access to BESTFRAME_FRAMES_DIR.',
  ],

  ROOT_UNREADABLE: [
    'machine',
    'A source root cannot be read on one machine',
    'The folder is missing, not mounted or not readable there. The worker takes no work until it can read all its roots.',
    'Mount the folder on the machine that the log names, or correct BESTFRAME_FILE_ROOTS there.',
  ],
  SPOOL_FULL: [
    'machine',
    'There is no space to spool sources',
    'The disk of the spool folder on one machine is full. The worker takes no work until there is space.',
    'Free some space in BESTFRAME_SPOOL_DIR on the machine that the log names.',
  ],
  SPOOL_UNWRITABLE: [
    'machine',
    'The spool folder cannot be written to',
    'https sources are kept there while they are read. The worker takes no work until it can write.',
    'Give the worker write access to BESTFRAME_SPOOL_DIR, or name another folder.',
  ],
  STAGING_FULL: [
    'machine',
    'There is no space for uploaded files',
    'The disk of the staging folder is full. Nothing of the request was kept.',
    'Free some space in BESTFRAME_STAGING_DIR.',
  ],
  STAGING_UNWRITABLE: [
    'machine',
    'Uploaded files cannot be written',
    'The staging folder refuses the write. Nothing of the request was kept.',
    'Give the HTTP API write access to BESTFRAME_STAGING_DIR.',
  ],
  CLOCK_OFF: [
    'machine',
    'The clock of one machine is wrong',
    'Links and calls that are signed by it are refused, and its delays are wrong. The worker takes no work until the clock is right.',
    'Synchronize the clock of the machine that the log names with NTP.',
  ],
  CA_UNTRUSTED: [
    'machine',
    'One machine does not trust Tencent’s certificate',
    'The TLS connection to Tencent fails there. The worker takes no work until it succeeds.',
    'If a proxy re-signs TLS, set BESTFRAME_CA_FILE on that machine to your company’s root certificate.',
  ],

  SEQUENCE_BUSY: [
    'throttled',
    'Too many requests for light sequences',
    'The rate limit of GenerateReflectSequence is used up for the next seconds, or another request with the same key is running. Tencent was not called.',
    {
      caller: 'Ask again in a few seconds.',
      operator: 'If this happens often, ask Tencent for a higher rate and set BESTFRAME_QPS_SEQUENCE.',
    },
  ],
  SEQUENCE_LATE: [
    'transient',
    'The light sequence did not arrive in time',
    'Because a person is waiting, Bestframe gives up after ten seconds. It tried twice if there was time.',
    {
      caller: 'Ask again under the same key.',
      operator: 'Check the network to COS and FaceID with `bestframe doctor`.',
    },
  ],
  SEQUENCE_MISSING: [
    'transient',
    'The light sequence cannot be downloaded',
    'Tencent created a sequence, but there is nothing at its link.',
    { caller: 'Ask again.' },
  ],
  SEQUENCE_DAMAGED: [
    'transient',
    'The light sequence arrived damaged',
    'Its MD5 differs from the MD5 that Tencent gave, or it is larger than any valid sequence.',
    { caller: 'Ask again.', operator: 'Look for a proxy that changes answers.' },
  ],
  API_KEYS_LOST: [
    'account',
    'The deployment has no API keys',
    'Redis holds none, not even a revoked one: none was created yet, or Redis lost its data.',
    'Restore the keys with `bestframe keys import`, or create new ones.',
  ],
  UNAUTHENTICATED: [
    'caller',
    'The API key is missing or not valid',
    'The request has no key, or its key is unknown, expired or revoked.',
    {
      caller: 'Send “Authorization: Bearer <key>” with a valid key. The operator of Bestframe makes keys.',
      operator: '`bestframe keys create` makes a key. `bestframe keys list` shows the state of each key.',
    },
  ],
  WRONG_MODE: [
    'caller',
    'The API key belongs to the other mode',
    'A test key was sent to a live deployment, or a live key to a test deployment.',
    'Use a key of the deployment’s mode: bf_test_… or bf_live_….',
  ],
  FORBIDDEN: [
    'caller',
    'The API key does not allow this',
    'The key lacks the named scope.',
    {
      caller: 'Use a key with that scope. The operator of Bestframe makes keys.',
      operator: 'Make a key with that scope: `bestframe keys create --scopes …`.',
    },
  ],
  RATE_LIMITED: [
    'throttled',
    'Too many requests',
    'Each API key has its own rate limit over all API processes, and a limit of event streams. Failed logins and wrong keys are limited by address and by name.',
    {
      caller:
        'Wait as long as Retry-After says. Use `?wait=` or the event stream instead of polling: they need fewer requests.',
    },
  ],
  QUOTA_USED_UP: [
    'throttled',
    'A quota of the tenant is used up',
    'The policy of the tenant limits what it may queue: verifications that have not ended, verifications in a day, or paid calls. Nothing was stored. Verifications that were accepted before go on.',
    {
      caller: 'Send the request again after Retry-After, or when some of your verifications have ended.',
      operator: 'If the limit is too low, change `limits` in the policy of the tenant (`bestframe tenants`).',
    },
  ],
  BACKLOG: [
    'throttled',
    'The queue is too long for the deadline',
    'With the current queue and Tencent’s rate limit, the call would come after the deadline. Nothing was stored.',
    {
      caller: 'Send the request again after Retry-After, with a later deadline, or in lane batch.',
      operator: 'If this happens often, ask Tencent for a higher rate.',
    },
  ],
  MALFORMED_REQUEST: [
    'caller',
    'The request cannot be parsed',
    'The HTTP, JSON or multipart body is malformed or incomplete, or a parameter or header is wrong.',
    'Correct the named part. docs/http-api.md describes the accepted requests.',
  ],
  BODY_TOO_LARGE: [
    'caller',
    'The request body is too large',
    'The server stopped reading at its limit.',
    'Send less at once: files as multipart, many verifications in several batches.',
  ],
  UNSUPPORTED_MEDIA_TYPE: [
    'caller',
    'The content type is not supported',
    'This route does not accept the Content-Type of the request.',
    {
      caller: 'Send application/json. For files, send multipart/form-data to a deployment that accepts files.',
      operator: 'To accept files, set BESTFRAME_STAGING_DIR.',
    },
  ],
  NO_SUCH_ROUTE: [
    'caller',
    'The route does not exist',
    'The API has no route with this path and method.',
    'Correct path and method. /openapi.json lists all routes.',
  ],
  NOT_POSSIBLE_NOW: [
    'caller',
    'The verification’s state does not allow this',
    'The requested action needs another state. Nothing was changed.',
    'Check the verification’s state. The detail of this error says what prevents the action.',
  ],
  LEGAL_HOLD: [
    'caller',
    'A legal hold forbids erasing the verification',
    'It must not be erased until the hold is lifted. Nothing was changed.',
    { caller: 'Ask the operator who set the hold.', operator: '`bestframe legal-hold lift` lifts the hold.' },
  ],
  NO_FRAME: [
    'caller',
    'There is no frame to read',
    'The frame is not stored yet, was lost or deleted, or has changed since it was stored.',
    {
      caller: 'Check `frame` of the verification: `pending` means that it is still being downloaded.',
      operator: 'Frames are kept for BESTFRAME_KEEP_FRAMES_HOURS.',
    },
  ],
  NO_MEDIUM: [
    'caller',
    'There is no such medium to read',
    'The session has not ended, did not ask for this medium, got none from Tencent, or its media were deleted.',
    {
      caller: 'Check `session.media` of the verification: it lists what there is after the end.',
      operator: 'Media are kept as long as frames: for BESTFRAME_KEEP_FRAMES_HOURS.',
    },
  ],
  RANGE_NOT_SATISFIABLE: [
    'caller',
    'The requested range is outside the file',
    'The range starts after the last byte.',
    'Omit the Range header, or request an existing range. HEAD returns the size.',
  ],
  AUDIT_UNAVAILABLE: [
    'account',
    'The audit log cannot be written',
    'Bestframe refuses an operation that it cannot record in the audit log.',
    'Give the process write access to BESTFRAME_AUDIT, and free some space there.',
  ],

  CLOSED_BY_OPERATOR: [
    'account',
    'An operator closed the gate',
    'Calls of this region and action are stopped. The gate opens again when a probe gets an answer.',
    '`bestframe gate open` opens the gate at once.',
  ],
  PAUSED_BY_OPERATOR: [
    'account',
    'An operator paused the gate',
    'Calls of this region and action are stopped until an operator resumes the gate.',
    '`bestframe gate status` shows the operator and the reason. `bestframe gate resume` opens the gate.',
  ],
  BUDGET_SPENT: [
    'account',
    'The budget for paid calls is spent',
    'The calls of this day or month that were or may have been paid have reached the budget of this deployment. No paid call is made until the period ends.',
    'The gate opens when the period ends. To open it earlier, see docs/costs.md.',
  ],
  BELOW_THRESHOLD: [
    'rejected',
    'The similarity is below the threshold',
    'Tencent found a live person whose similarity to the photo is lower than the threshold of the verification. Tencent bills this answer.',
    LOW_SIMILARITY_HINT,
    'yes',
  ],
  FAKE_SUSPECTED: [
    'rejected',
    'The second opinion suspects a fake face',
    'DetectAIFakeFaces rates the risk of an attack on the frame as high. Tencent advises to refuse such a face. The decision of the first call stands beside it.',
    'Do not let the person in because of the decision. `secondOpinion.attacks` says what Tencent suspects.',
    'yes',
  ],
  SESSION_NOT_STARTED: [
    'rejected',
    'The person never began',
    'The session waited for the person until its deadline, and Tencent has no try of the person.',
    { person: 'Please start again.', caller: 'Start a new session when the person is ready.' },
  ],
  SESSION_ABANDONED: [
    'rejected',
    'The person left before the end',
    'The session waited for the person until its deadline. The person has tried, but Tencent has no result.',
    { person: 'Please start again.' },
    'unknown',
  ],
  SESSION_EXPIRED: [
    'rejected',
    'Tencent no longer has the result of the session',
    'The token expired, or nobody asked for the result while Tencent kept it.',
    { person: 'Please start again.' },
    'unknown',
  ],
  DEADLINE_EXCEEDED: [
    'caller',
    'The deadline passed before there was an answer',
    'Bestframe makes no call after the caller’s deadline.',
    { caller: 'If the answer is still useful, give it more time.', operator: 'Find out why it took so long.' },
  ],
  OUTCOME_UNKNOWN: [
    'transient',
    'The outcome of the paid call is unknown',
    'The call was sent and no answer came. Tencent’s calls have no idempotency token, so this one may have been billed.',
    'Compare the bill: it may contain the call.',
    'unknown',
  ],
  CANCELLED: ['caller', 'The verification was cancelled', 'Its caller cancelled it.', NOTHING],
  POISON: [
    'caller',
    'The verification crashed several workers',
    'Several workers died while they ran it and nothing else, without reporting an error.',
    {
      caller: 'Keep the resources, and do not send them again before the operator of Bestframe has found the cause.',
      operator: 'Check the last output and the memory use of the workers, and keep the resources for a bug report.',
    },
  ],
  RUNS_ALONE: [
    'throttled',
    'The verification waits to run alone',
    'Its last runs ended with their process, which may be its own fault or that of another verification beside it.',
    NOTHING,
  ],
  LEASE_LOST: [
    'transient',
    'Another worker took over',
    'The lease was not renewed in time, so this attempt stopped.',
    NOTHING,
  ],
  WORKER_DRAINED: [
    'transient',
    'The worker stopped before it was finished',
    'The drain time ended, so the worker put the verification back into the queue.',
    'If this happens often, raise BESTFRAME_DRAIN_MS.',
  ],
  RECORD_MISSING: [
    'caller',
    'The verification does not exist',
    'There is no record with this id or key: it never existed, or its retention has ended.',
    {
      caller: 'Check the id.',
      operator: 'Check that clients and workers use the same Redis and the same BESTFRAME_NAMESPACE.',
    },
  ],
  REDIS_UNAVAILABLE: [
    'transient',
    'Redis cannot be reached',
    'Nothing was enqueued or changed.',
    'Check REDIS_URL and Redis itself.',
  ],
  API_UNAVAILABLE: [
    'transient',
    'The HTTP API cannot be reached',
    'It did not answer, or another server answered in its place. The requested operation may have been done.',
    {
      caller: 'Check the URL. Then try again under the same key: it means the same verification.',
      operator: 'Check that `bestframe start api` runs there.',
    },
  ],
  INTERNAL: [
    'unknown',
    'Bestframe had an unexpected error',
    'This is a bug in Bestframe.',
    {
      caller: 'Report it to the operator of Bestframe, with the id or the requestId.',
      operator: 'Report it with the log line, which contains the location in the code and no personal data.',
    },
    'unknown',
  ],
};

export const LOCAL: readonly ErrorEntry[] = Object.entries(ROWS).map(
  ([match, [kind, title, explanation, advice, billed = 'no']]) => ({
    match,
    service: 'bestframe',
    channel: 'local',
    class: kind,
    decision: DECISIONS[match] ?? null,
    retry: RETRIES[kind],
    billed,
    retake: RETAKE[match] ?? 'none',
    title,
    explanation,
    advice: hintWords(kind, advice),
  }),
);
