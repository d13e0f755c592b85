/**
 * What a bucket is set to, as COS says it in XML: who may read it, versioning, lifecycle. A public bucket is public, and
 * versioning makes versions; lifecycle is a setting only: no rule ever deletes an object.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { CosError } from './cos-signature.ts';
import type { Acl, Bucket, Versioning } from './settings.ts';

/** By the name in the query, as the log calls them. */
export const BUCKET_SETTINGS: Readonly<Record<string, string>> = {
  acl: 'ACL',
  lifecycle: 'Lifecycle',
  versioning: 'Versioning',
};

export interface BucketAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly xml: string;
}

const ACLS: readonly string[] = ['private', 'public-read', 'public-read-write'];
const OWNER = 'qcs::cam::uin/100000000001:uin/100000000001';
const EVERYBODY = 'http://cam.qcloud.com/groups/global/AllUsers';

/** @throws nothing: what is wrong is an answer too. */
export function readSetting(bucket: Bucket, name: string): BucketAnswer | CosError {
  if (name === 'acl') return { headers: { 'x-cos-acl': aclOf(bucket) }, xml: aclXml(aclOf(bucket)) };
  if (name === 'versioning') {
    const status = bucket.versioning === undefined ? '' : `<Status>${bucket.versioning}</Status>`;
    return { headers: {}, xml: `<VersioningConfiguration>${status}</VersioningConfiguration>` };
  }
  if (bucket.lifecycle === undefined) {
    return {
      status: 404,
      code: 'NoSuchLifecycleConfiguration',
      message: 'The lifecycle configuration does not exist.',
    };
  }
  return { headers: {}, xml: `<LifecycleConfiguration>${bucket.lifecycle}</LifecycleConfiguration>` };
}

export interface NewSetting {
  readonly acl: string | undefined;
  readonly contentMd5: string | undefined;
  readonly body: Buffer;
}

/** Changes it, or says why not. */
export function writeSetting(bucket: Bucket, name: string, { acl, contentMd5, body }: NewSetting): CosError | null {
  if (contentMd5 !== undefined && contentMd5 !== createHash('md5').update(body).digest('base64')) {
    return {
      status: 400,
      code: 'BadDigest',
      message: 'The Content-MD5 you specified did not match what we received.',
    };
  }
  if (name === 'acl') {
    // Grants to single accounts, in XML or headers, are not emulated.
    if (acl === undefined || !isAcl(acl)) return invalidAcl();
    bucket.acl = acl;
    return null;
  }
  const text = body.toString();
  if (name === 'versioning') {
    const [, status] =
      /^<VersioningConfiguration>\s*<Status>(Enabled|Suspended)<\/Status>/.exec(undeclared(text)) ?? [];
    if (status === undefined) return malformed();
    bucket.versioning = status as Versioning;
    return null;
  }
  const [, rules] = /^<LifecycleConfiguration>([\s\S]*)<\/LifecycleConfiguration>$/.exec(undeclared(text)) ?? [];
  if (rules === undefined || !areRules(rules)) return malformed();
  bucket.lifecycle = rules.trim();
  return null;
}

export function isAcl(word: string): word is Acl {
  return ACLS.includes(word);
}

export function invalidAcl(): CosError {
  return { status: 400, code: 'InvalidArgument', message: 'The specified ACL is not one of the canned ones.' };
}

export function aclOf({ acl }: Bucket): Acl {
  return acl ?? 'private';
}

function aclXml(acl: Acl): string {
  const owner = `<ID>${OWNER}</ID><DisplayName>${OWNER}</DisplayName>`;
  const grant = (type: string, who: string, permission: string) =>
    `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">${who}</Grantee><Permission>${permission}</Permission></Grant>`;
  const everybody = { private: [], 'public-read': ['READ'], 'public-read-write': ['READ', 'WRITE'] }[acl];
  const grants = [
    grant('CanonicalUser', owner, 'FULL_CONTROL'),
    ...everybody.map((permission) => grant('Group', `<URI>${EVERYBODY}</URI>`, permission)),
  ];
  return `<AccessControlPolicy><Owner>${owner}</Owner><AccessControlList>${grants.join('')}</AccessControlList></AccessControlPolicy>`;
}

function undeclared(xml: string): string {
  return xml.replace(/^<\?xml[^>]*\?>/, '').trim();
}

/** At least one, nothing between them, and each with an id of its own, a status, a filter and something that it does. */
function areRules(text: string): boolean {
  const rules = text.match(/<Rule>[\s\S]*?<\/Rule>/g) ?? [];
  const ids = rules.map((rule) => /<ID>([^<]+)<\/ID>/.exec(rule)?.[1] ?? randomUUID());
  return (
    rules.length > 0 &&
    text.replace(/<Rule>[\s\S]*?<\/Rule>/g, '').trim() === '' &&
    new Set(ids).size === ids.length &&
    rules.every(
      (rule) =>
        /<Status>(?:Enabled|Disabled)<\/Status>/.test(rule) &&
        /<Filter\s*\/?>/.test(rule) &&
        /<(?:Expiration|Transition|AbortIncompleteMultipartUpload|NoncurrentVersionExpiration)>/.test(rule),
    )
  );
}

function malformed(): CosError {
  return { status: 400, code: 'MalformedXML', message: 'The XML you provided was not well-formed.' };
}
