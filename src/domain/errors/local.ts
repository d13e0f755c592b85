/** What Bestframe itself says. */
import type { Code } from './codes.ts';
import { type ErrorClass, type ErrorEntry, RETRIES } from './entry.ts';

type Row = readonly [
  kind: ErrorClass,
  title: string,
  explanation: string,
  advice: string,
  billed?: ErrorEntry['billed'],
];

/** A record, so that the compiler misses none. */
const ROWS: Readonly<Record<Code, Row>> = {
  INVALID_VERIFICATION: [
    'caller',
    'The request is not valid',
    'A field is missing, unknown or wrong; nothing was stored.',
    'Correct the field that is named. `bestframe enqueue --help` and docs/settings.md show what is taken.',
  ],
  INVALID_MANIFEST: [
    'caller',
    'A manifest line is not valid',
    'The line cannot be read; the other lines went on.',
    'Correct the line that is named and enqueue the manifest again: lines that were accepted are known by their keys.',
  ],
  INVALID_SEQUENCE: [
    'caller',
    'The request for a light sequence is not valid',
    'A field is missing, unknown or wrong; nothing was sent.',
    'Correct the field that is named. docs/integration.md shows what is taken.',
  ],
  KEY_CONFLICT: [
    'caller',
    'The key belongs to another payload',
    'This key was used before with other resources or settings.',
    'Use a new key for a new check. The same key is always the same verification.',
  ],
  KEY_GONE: [
    'caller',
    'The key’s verification was erased',
    'Its record is gone on purpose and is not made again.',
    'Use a new key.',
  ],
  SAME_RESOURCE: [
    'caller',
    'The same resource twice',
    'Comparing a thing with itself proves nothing, and would be billed.',
    'Give the liveness package and a photo from another origin.',
  ],
  REUSED_LIVE_DATA: [
    'caller',
    'The liveness package was used before',
    'The same package was answered in another verification: it proves that somebody was there then, not now. Nothing was paid.',
    'Capture again. Where one package is checked against several photos on purpose, set BESTFRAME_REUSED_LIVE_DATA=warn.',
  ],
  SOURCE_MISSING: [
    'caller',
    'The resource does not exist',
    'No file or object is there.',
    'Correct the path or key; a worker must see the same path as the caller.',
  ],
  SOURCE_UNREADABLE: [
    'caller',
    'The resource cannot be read',
    'It is no regular file, or permissions forbid it.',
    'Let the user that runs the workers read it.',
  ],
  SOURCE_OUTSIDE_ROOTS: [
    'caller',
    'The file is outside the roots',
    'Files are read only inside the configured folders, symbolic links followed.',
    'Move the file, or add its folder to BESTFRAME_FILE_ROOTS.',
  ],
  SOURCE_EMPTY: [
    'caller',
    'The resource is empty',
    'It has no bytes.',
    'Give the file with its content; the phone’s upload may have been cut.',
  ],
  SOURCE_TOO_LARGE: [
    'caller',
    'The resource is too large',
    'It is larger than Tencent takes.',
    'Give a smaller one (docs/settings.md has the limits).',
  ],
  SOURCE_NOT_BYTES: [
    'caller',
    'Base64 where bytes belong',
    'The resource is Base64 text or a data: URL. Tencent wants the raw bytes.',
    'Decode it first, and give the bytes.',
  ],
  SOURCE_WRONG_KIND: [
    'caller',
    'The resource is of the wrong kind',
    'Its first bytes are not those of what this action takes.',
    'Give a gzip liveness package as LiveData, JPEG or PNG as image, MP4, AVI or FLV as video, the SDK’s Base64 text as device data.',
  ],
  SOURCE_CHANGED: [
    'caller',
    'The resource changed while it was read',
    'Somebody wrote to it after it was hashed. Nothing was paid.',
    'Write resources once and never over one another; then enqueue under a new key.',
  ],
  SOURCE_MD5_MISMATCH: [
    'caller',
    'The MD5 does not agree',
    'The bytes are not those whose MD5 the caller gave. Nothing was paid.',
    'Compute the MD5 over the raw bytes (32 hex digits), and give the right resource.',
  ],
  SOURCE_HTTP: [
    'caller',
    'The source’s server refuses',
    'The URL answered with an error status.',
    'Open the URL from a worker’s machine: signed links may have expired.',
  ],
  SOURCE_UNAVAILABLE: [
    'transient',
    'The source’s server is unavailable',
    'The URL’s server is down, overloaded or out of reach.',
    'Nothing: it is tried again.',
  ],
  ADDRESS_FORBIDDEN: [
    'caller',
    'The URL leads to a private address',
    'Only public hosts are read, after redirects too.',
    'Use a file or COS source for what lies inside your network.',
  ],
  NOT_HTTPS: ['caller', 'The URL is not https', 'Faces travel only encrypted.', 'Use an https URL.'],
  REDIRECT_REFUSED: [
    'caller',
    'The URL redirects too often or to nowhere',
    'A few redirects to public https hosts are followed, no others.',
    'Give the final URL.',
  ],

  LINK_REGION: [
    'account',
    'The link is not in the API’s region',
    'Tencent would answer “invalid resourceUrl”: it takes only default COS domains of the API’s own region.',
    'Make the bucket’s region the region of the API (BESTFRAME_BUCKETS).',
  ],
  LINK_UNREADABLE: [
    'reupload',
    'The link cannot be read',
    'Tencent would answer “DownLoadError”: a GET without credentials failed on the very link that it would fetch.',
    'Nothing: it is uploaded again. If it comes back, check bucket policy, referer lists and firewall.',
  ],
  LINK_MD5_MISMATCH: [
    'reupload',
    'The object is not what was uploaded',
    'Tencent would answer “MD5 Error”: the object was overwritten, or cut.',
    'Nothing: it is uploaded again under a fresh key. If it comes back, look for a second writer on the bucket’s folder.',
  ],
  LINKS_EXPIRED: [
    'reupload',
    'The links have too little life left',
    'Links of CreateUploadUrl live two hours; these could be dead before they are read.',
    'Nothing: it is uploaded again under fresh links.',
  ],

  INVALID_SETTINGS: [
    'account',
    'A setting is not valid',
    'The process did not start.',
    'Correct the setting that is named (docs/settings.md).',
  ],
  BUCKET_REGION: [
    'account',
    'The bucket is not in this region',
    'Bucket, links and API must be in one region.',
    'Correct BESTFRAME_BUCKETS, or create the bucket in the region of the API.',
  ],
  NO_BUCKET: [
    'account',
    'No bucket for this region',
    'Upload way own-bucket needs a bucket in each region that is served.',
    'Name one in BESTFRAME_BUCKETS, or use upload way create-upload-url.',
  ],
  NO_CREDENTIALS: [
    'account',
    'The credentials are missing or refused',
    'No keys are configured, they have expired, or the bucket refuses them.',
    'Set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, or a credentials file; check permissions and clock.',
  ],
  SEAL_KEY_MISSING: [
    'account',
    'A key of the key ring is missing',
    'What is in Redis was sealed with a key that this process does not have, or has under another name.',
    'Give every process the same BESTFRAME_KEY_RING; take no key out of it while records are sealed with it.',
  ],
  EMULATOR_IN_LIVE_MODE: [
    'account',
    'The emulator answered in live mode',
    'The peer’s certificate comes from the emulator’s CA: no real answer can come from there.',
    'Remove the emulator’s proxy and CA settings, or set BESTFRAME_MODE=test.',
  ],

  MODE_MISMATCH: [
    'account',
    'Test and live share one Redis',
    'The verification was enqueued in one mode and met a worker of the other: an answer of the emulator must never be taken for a real one.',
    'Give BESTFRAME_MODE the same value for producers and workers, and each mode a BESTFRAME_PREFIX or a Redis of its own.',
  ],

  NEWER_RECORD: [
    'account',
    'A newer Bestframe began this verification',
    'Its record is of a version that this worker does not know. Nothing was done to it.',
    'Finish the upgrade: stop the workers of the older version. The newer ones go on with it.',
  ],

  CONNECT_REFUSED: [
    'transient',
    'The connection was refused',
    'Nothing listens there, or a firewall refuses. Nothing was sent.',
    'Nothing: it is tried again. If it lasts, check network and proxy.',
  ],
  CONNECT_TIMEOUT: [
    'transient',
    'The connection took too long',
    'No connection was made in time. Nothing was sent.',
    'Nothing: it is tried again. If it lasts, check network and proxy.',
  ],
  DNS_FAILED: [
    'transient',
    'The host was not found',
    'Its name does not resolve at the moment. Nothing was sent.',
    'Nothing: it is tried again. If it lasts, check DNS and host name.',
  ],
  TLS_FAILED: [
    'transient',
    'The certificate or handshake was refused',
    'The peer is not who it should be, or a proxy breaks TLS. Nothing was sent.',
    'Give the company’s root certificate in BESTFRAME_CA_FILE where a proxy re-signs TLS.',
  ],
  PROXY_REFUSED: [
    'transient',
    'The proxy refused',
    'The egress proxy does not let this host through. Nothing was sent.',
    'Check BESTFRAME_PROXY, its user and password, and its rules.',
  ],
  TIMEOUT: [
    'transient',
    'It took longer than its limit',
    'There was no answer in time.',
    'Nothing: it is tried again.',
    'unknown',
  ],
  RESET: [
    'transient',
    'The connection broke',
    'The peer hung up in the middle.',
    'Nothing: it is tried again.',
    'unknown',
  ],
  ABORTED: [
    'transient',
    'It was given up',
    'The process is stopping, or the work moved elsewhere.',
    'Nothing: it is tried again.',
    'unknown',
  ],
  MALFORMED_REPLY: [
    'transient',
    'The answer cannot be read',
    'It is cut, no JSON, or lacks what it must have.',
    'Nothing: it is tried again. If it lasts, check proxies that rewrite answers.',
    'unknown',
  ],
  HTTP_3XX: [
    'account',
    'A redirect where there should be none',
    'The vendor’s API never redirects: something stands in between.',
    'Check proxy and endpoint.',
  ],
  HTTP_4XX: [
    'account',
    'The request was refused',
    'A server or proxy refused the request before the API saw it.',
    'Check proxy and endpoint.',
  ],
  HTTP_429: [
    'throttled',
    'Too many requests',
    'A server or proxy asks to slow down.',
    'Nothing: it waits for its turn.',
  ],
  HTTP_5XX: [
    'transient',
    'A server error',
    'The server or a gateway failed.',
    'Nothing: it is tried again.',
    'unknown',
  ],

  FRAME_MISSING: [
    'caller',
    'BestFrame is gone',
    'The vendor no longer has the picture. The decision stands.',
    'Go on without it: the decision is not affected, and nothing is paid again.',
  ],
  FRAME_EXPIRED: [
    'caller',
    'BestFrame has expired',
    'Its link lives two hours, and they are over. The decision stands.',
    'Go on without it. Run more workers if this happens often.',
  ],
  FRAME_MD5_MISMATCH: [
    'transient',
    'BestFrame arrived damaged',
    'Its MD5 is not the one that the vendor gave.',
    'Nothing: it is downloaded again.',
  ],
  FRAME_ELSEWHERE: [
    'account',
    'The frame lies elsewhere',
    'It was to be deleted, and is not in the frames folder of this process. Nothing was touched.',
    'Give this process the BESTFRAME_FRAMES_DIR that the frame was stored under, or delete it and its receipt by hand.',
  ],
  SINK_FULL: [
    'transient',
    'No space for the frame',
    'The disk or quota of the frames folder is full.',
    'Make space; the download is tried again until its link dies.',
  ],
  SINK_UNWRITABLE: [
    'transient',
    'The frame cannot be written',
    'The frames folder or bucket refuses writing.',
    'Let the workers write to BESTFRAME_FRAMES_DIR; the download is tried again until its link dies.',
  ],

  SEQUENCE_BUSY: [
    'throttled',
    'Too many ask for light sequences',
    'The rate of GenerateReflectSequence is used up for the next seconds, or the same key is being asked for. Nothing was called.',
    'Ask again in a few seconds. If this happens often, ask Tencent for a higher rate and set BESTFRAME_QPS_SEQUENCE.',
  ],
  SEQUENCE_LATE: [
    'transient',
    'The light sequence was not there in time',
    'A person waits for it, so that it is given up after ten seconds; it was tried twice where there was time.',
    'Ask again, under the same key. If it lasts, look at the network to COS and FaceID (`bestframe doctor`).',
  ],
  SEQUENCE_MISSING: [
    'transient',
    'The light sequence cannot be fetched',
    'Tencent made one, and its link leads to nothing.',
    'Ask again.',
  ],
  SEQUENCE_DAMAGED: [
    'transient',
    'The light sequence arrived damaged',
    'Its MD5 is not the one that Tencent gave, or it is larger than any sequence.',
    'Ask again. If it comes back, look for a proxy that changes answers.',
  ],

  CLOSED_BY_OPERATOR: [
    'account',
    'An operator closed the gate',
    'Calls of this region and action rest; a probe opens the gate again once it is answered.',
    'Nothing, or `bestframe gate open`.',
  ],
  PAUSED_BY_OPERATOR: [
    'account',
    'An operator paused the gate',
    'No calls of this region and action are made until it is resumed.',
    '`bestframe gate status` says who and why; `bestframe gate resume` ends it.',
  ],
  DEADLINE_EXCEEDED: [
    'caller',
    'The deadline has passed',
    'No answer could be had in the time that the caller gave. No call is made after it.',
    'Enqueue again under a new key if an answer is still of use; look why it took so long.',
  ],
  OUTCOME_UNKNOWN: [
    'transient',
    'Nobody knows whether the call was made',
    'The paid call went out and no answer came. Calls have no idempotency token: it may have been billed.',
    'Nothing: it is repeated at most as often as the policy allows, and counted as possibly paid.',
    'unknown',
  ],
  CANCELLED: ['caller', 'It was cancelled', 'The caller cancelled it.', 'Nothing.'],
  POISON: [
    'caller',
    'It crashed its workers',
    'Several workers died while working on it, without a word.',
    'Look at the workers’ last output and memory; keep the resources for a report.',
  ],
  LEASE_LOST: [
    'transient',
    'Another worker took over',
    'The lease was not renewed in time, so this attempt stopped.',
    'Nothing: the other worker goes on.',
  ],
  WORKER_DRAINED: [
    'transient',
    'Its worker was told to end',
    'It was not finished when the time to drain was over, and was handed back.',
    'Nothing: another worker goes on. Where this is often so, give workers more time by BESTFRAME_DRAIN_MS.',
  ],
  RECORD_MISSING: [
    'caller',
    'There is no such verification',
    'No record has this id or key: it never was, or its record’s time is over.',
    'Check the id, and that client and workers use one Redis and one BESTFRAME_NAMESPACE.',
  ],
  REDIS_UNAVAILABLE: [
    'transient',
    'Redis cannot be reached',
    'Nothing was enqueued or changed.',
    'Check REDIS_URL and Redis itself, then try again: the same key is the same verification.',
  ],
  INTERNAL: [
    'unknown',
    'A fault of Bestframe',
    'Something happened that should not.',
    'Please report it with the log line: it has the place, and no personal data.',
    'unknown',
  ],
};

export const LOCAL: readonly ErrorEntry[] = Object.entries(ROWS).map(
  ([match, [kind, title, explanation, advice, billed = 'no']]) => ({
    match,
    service: 'bestframe',
    channel: 'local',
    class: kind,
    decision: null,
    retry: RETRIES[kind],
    billed,
    audience: kind === 'caller' ? 'caller' : 'operator',
    title,
    explanation,
    advice,
  }),
);
