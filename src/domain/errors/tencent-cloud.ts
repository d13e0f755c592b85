/** Codes that any Tencent Cloud API may return. An exact code beats a prefix, and the longest prefix wins. */
import { documentedBilling } from './billing.ts';
import { type ErrorClass, type ErrorEntry, type Hint, hintWords, RETRIES } from './entry.ts';

type Row = readonly [match: string, kind: ErrorClass, title: string, explanation: string, advice: Hint];

/** Nobody needs to act: Bestframe recovers by itself. */
const NOTHING = '';
const LOWER_QPS = 'Lower BESTFRAME_QPS_DETECT if other software shares the account';
const CONSOLE = 'in the Tencent Cloud console';
const BUG = 'Note the RequestId and report it: this is a bug in Bestframe.';
const COMPARE = 'Compare the request with Tencent’s documentation, and note the RequestId for Tencent’s support.';
const CHECK_VALUES = 'Check the liveness type and ValidateData, and note the RequestId for Tencent’s support.';
const CREDENTIALS = 'Correct the credentials. Bestframe reads a credentials file again as soon as it changes.';

const ROWS: readonly Row[] = [
  // throttled
  [
    'RequestLimitExceeded',
    'throttled',
    'Too many requests per second',
    'The account’s rate limit for this action was exceeded. Other software may use the same account.',
    `${LOWER_QPS}, or ask Tencent for a higher limit.`,
  ],
  [
    'RequestLimitExceeded.*',
    'throttled',
    'Too many requests per second',
    'A rate limit of the account, the IP address or the API was exceeded.',
    `${LOWER_QPS}.`,
  ],
  [
    'FailedOperation.RequestLimitExceeded',
    'throttled',
    'Too many requests per second',
    'The account’s rate limit for this action was exceeded.',
    NOTHING,
  ],
  // transient
  [
    'InternalError',
    'transient',
    'Tencent had an internal error',
    'Something inside Tencent failed, or its rate limit was exceeded. This bare code says nothing about the person, but InternalError.* codes may.',
    NOTHING,
  ],
  [
    'ServiceUnavailable',
    'transient',
    'Tencent’s service is unavailable',
    'The service is down or overloaded.',
    NOTHING,
  ],
  ['ResourceInsufficient', 'transient', 'Tencent has no capacity', 'The service is at its capacity limit.', NOTHING],
  ['ResourceInUse', 'transient', 'A resource of Tencent is busy', 'Another operation uses the resource.', NOTHING],
  [
    'ResourceUnavailable',
    'transient',
    'A resource of Tencent is unavailable',
    'The resource that the call needs is unavailable at the moment.',
    NOTHING,
  ],
  // account: money and contract
  [
    'ResourceUnavailable.InArrears',
    'account',
    'The Tencent Cloud account is in arrears',
    'Tencent serves no calls until the bill is paid.',
    `Pay the bill ${CONSOLE}.`,
  ],
  [
    'ResourceUnavailable.ResourcePackageRunOut',
    'account',
    'The prepaid package is used up',
    'The package has no calls left, and Tencent does not buy another one automatically.',
    `Buy a package or allow pay-as-you-go ${CONSOLE}.`,
  ],
  [
    'UnauthorizedOperation.Arrears',
    'account',
    'The Tencent Cloud account is in arrears',
    'Tencent serves no calls until the bill is paid.',
    `Pay the bill ${CONSOLE}.`,
  ],
  [
    'UnauthorizedOperation.ChargeStatusException',
    'account',
    'The billing status of the account is abnormal',
    'Tencent has blocked billing for the account.',
    `Open Billing ${CONSOLE} and fix the status.`,
  ],
  [
    'UnauthorizedOperation.NonAuthorize',
    'account',
    'The account has not completed identity verification',
    'Tencent requires the identity verification of the account holder first.',
    `Complete it ${CONSOLE}.`,
  ],
  [
    'UnauthorizedOperation.Nonactivated',
    'account',
    'FaceID is not activated',
    'FaceID was never activated for this account.',
    `Activate it ${CONSOLE}.`,
  ],
  [
    'UnauthorizedOperation.Activating',
    'transient',
    'FaceID is being activated',
    'Tencent is activating FaceID for this account right now.',
    NOTHING,
  ],
  [
    'UnauthorizedOperation',
    'account',
    'The key has no permission for this call',
    'The user of the key lacks a policy for this action.',
    'Grant the user QcloudFaceIdFullAccess, or a policy for exactly these actions.',
  ],
  [
    'UnauthorizedOperation.*',
    'account',
    'The key or the account has no permission for this call',
    'A policy is missing, or the service is not available to the account.',
    `Check the policies of the user and the state of the service ${CONSOLE}.`,
  ],
  [
    'FailedOperation.UnOpenError',
    'account',
    'FaceID is not activated',
    'FaceID was never activated for this account.',
    `Activate it ${CONSOLE}.`,
  ],
  [
    'LimitExceeded',
    'account',
    'A quota of the account is used up',
    'The account has reached a quota that Tencent sets.',
    'Ask Tencent for a higher quota.',
  ],
  [
    'LimitExceeded.*',
    'account',
    'A quota of the account is used up',
    'The account has reached a quota that Tencent sets.',
    'Ask Tencent for a higher quota.',
  ],
  // account: keys and settings
  [
    'AuthFailure.SignatureExpire',
    'account',
    'This machine’s clock is wrong',
    'The time in the signature differs from Tencent’s clock by more than five minutes.',
    `Synchronize this machine’s clock with NTP.`,
  ],
  [
    'AuthFailure.*',
    'account',
    'Tencent rejected the credentials',
    'SecretId, SecretKey or token is wrong, disabled or expired.',
    CREDENTIALS,
  ],
  [
    'AuthFailure',
    'account',
    'Tencent rejected the credentials',
    'SecretId, SecretKey or token is wrong, disabled or expired.',
    CREDENTIALS,
  ],
  [
    'OperationDenied',
    'account',
    'Tencent denied the operation',
    'The account is not allowed to do this.',
    `Check the state of the account ${CONSOLE}.`,
  ],
  [
    'OperationDenied.*',
    'account',
    'Tencent denied the operation',
    'The account is not allowed to do this.',
    `Check the state of the account ${CONSOLE}.`,
  ],
  [
    'IpInBlacklist',
    'account',
    'The workers’ IP address is on the deny list',
    'The rules of the account forbid calls from this address.',
    'Remove the workers’ address from the deny list.',
  ],
  [
    'IpNotInWhitelist',
    'account',
    'The workers’ IP address is not on the allow list',
    'The rules of the account allow calls only from other addresses.',
    'Add the workers’ address to the allow list.',
  ],
  [
    'ActionOffline',
    'account',
    'Tencent has withdrawn this API',
    'The action no longer exists.',
    'Look for its successor in Tencent’s announcements, and update Bestframe.',
  ],
  [
    'InvalidAction',
    'account',
    'The endpoint does not know this action',
    'The configured endpoint serves another API.',
    'Check BESTFRAME_FACEID_ENDPOINT: it must be a FaceID endpoint of the international site.',
  ],
  [
    'NoSuchProduct',
    'account',
    'The endpoint does not serve FaceID',
    'The configured endpoint serves another product.',
    'Check BESTFRAME_FACEID_ENDPOINT.',
  ],
  [
    'NoSuchVersion',
    'account',
    'The endpoint does not know this API version',
    'The endpoint does not know version 2018-03-01.',
    'Check BESTFRAME_FACEID_ENDPOINT.',
  ],
  [
    'UnsupportedRegion',
    'account',
    'Tencent does not offer this API in this region',
    'The API is available in other regions only.',
    'Use a region that offers it: docs/flows.md lists them.',
  ],
  // caller
  ['InvalidParameter', 'caller', 'A parameter is not valid', 'Tencent does not accept a parameter.', COMPARE],
  ['InvalidParameter.*', 'caller', 'A parameter is not valid', 'Tencent does not accept a parameter.', COMPARE],
  [
    'InvalidParameterValue',
    'caller',
    'The value of a parameter is not valid',
    'Tencent does not accept the value of a parameter.',
    CHECK_VALUES,
  ],
  [
    'InvalidParameterValue.*',
    'caller',
    'The value of a parameter is not valid',
    'Tencent does not accept the value of a parameter.',
    CHECK_VALUES,
  ],
  ['InvalidRequest', 'caller', 'The request is malformed', 'Tencent cannot parse the request.', BUG],
  ['MissingParameter', 'caller', 'A parameter is missing', 'The request lacks a required parameter.', BUG],
  ['MissingParameter.*', 'caller', 'A parameter is missing', 'The request lacks a required parameter.', BUG],
  [
    'UnknownParameter',
    'caller',
    'A parameter is unknown',
    'The request contains a parameter that Tencent does not know.',
    BUG,
  ],
  [
    'RequestSizeLimitExceeded',
    'caller',
    'The request is too large',
    'Tencent limits the size of a request.',
    'Send a smaller video or photo if the call carries files. Otherwise, shorten ValidateData and object keys.',
  ],
  [
    'ResponseSizeLimitExceeded',
    'transient',
    'The answer is too large',
    'Tencent limits the size of an answer.',
    NOTHING,
  ],
  [
    'UnsupportedProtocol',
    'caller',
    'The protocol is not supported',
    'Tencent accepts only https POST.',
    { operator: 'Look for a proxy that rewrites requests.' },
  ],
  [
    'UnsupportedOperation',
    'caller',
    'The account’s product does not offer this operation',
    'The purchased liveness product does not include it.',
    { operator: 'Check which liveness product was bought.' },
  ],
  [
    'UnsupportedOperation.*',
    'caller',
    'The account’s product does not offer this operation',
    'The purchased liveness product does not include it.',
    { operator: 'Check which liveness product was bought.' },
  ],
];

export const TENCENT_CLOUD: readonly ErrorEntry[] = ROWS.map(([match, kind, title, explanation, advice]) => ({
  match,
  service: 'faceid',
  channel: 'error',
  class: kind,
  decision: null,
  retry: RETRIES[kind],
  billed: documentedBilling(match, 'pure-api'),
  retake: 'none',
  title,
  explanation,
  advice: hintWords(kind, advice),
}));
