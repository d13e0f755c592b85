/**
 * Reads and writes a bucket's ACL, versioning and lifecycle in COS's XML.
 *
 * ACL and versioning take effect. Lifecycle rules are only stored: no rule ever deletes an object.
 */
import { CosFailure, invalidAcl, lockNeedsVersions, malformedXml, notEmulated } from './cos-error.ts';
import { readLifecycleRules, readVersioningStatus } from './cos-xml.ts';
import type { Acl, Bucket } from './settings.ts';

export type BucketSetting = 'acl' | 'lifecycle' | 'versioning';

export interface SettingDocument {
  readonly headers: Readonly<Record<string, string>>;
  readonly xml: string;
}

const ACLS: readonly string[] = ['private', 'public-read', 'public-read-write'];
const OWNER = 'qcs::cam::uin/100000000001:uin/100000000001';
const ALL_USERS_GROUP = 'http://cam.qcloud.com/groups/global/AllUsers';

/** @throws CosFailure if the setting does not exist. */
export function readSetting(bucket: Bucket, setting: BucketSetting): SettingDocument {
  switch (setting) {
    case 'acl':
      return { headers: { 'x-cos-acl': aclOf(bucket) }, xml: aclXml(aclOf(bucket)) };
    case 'versioning': {
      const status = bucket.versioning === undefined ? '' : `<Status>${bucket.versioning}</Status>`;
      return { headers: {}, xml: `<VersioningConfiguration>${status}</VersioningConfiguration>` };
    }
    case 'lifecycle':
      if (bucket.lifecycle === undefined) {
        throw new CosFailure({
          status: 404,
          code: 'NoSuchLifecycleConfiguration',
          message: 'The lifecycle configuration does not exist.',
        });
      }
      return { headers: {}, xml: `<LifecycleConfiguration>${bucket.lifecycle}</LifecycleConfiguration>` };
  }
}

export interface SettingRequest {
  /** The x-cos-acl header. */
  readonly acl: string | undefined;
  readonly body: Buffer;
}

/** @throws CosFailure if the request is invalid; the setting then stays as it was. */
export function writeSetting(bucket: Bucket, setting: BucketSetting, { acl, body }: SettingRequest): void {
  switch (setting) {
    case 'acl':
      if (body.length > 0) throw new CosFailure(notEmulated('PUT ?acl with grants to single accounts'));
      if (acl === undefined || !isAcl(acl)) throw new CosFailure(invalidAcl());
      bucket.acl = acl;
      return;
    case 'versioning': {
      const status = readVersioningStatus(body.toString());
      if (status === null) throw new CosFailure(malformedXml());
      if (status === 'Suspended' && bucket.objectLock !== undefined) throw new CosFailure(lockNeedsVersions());
      bucket.versioning = status;
      return;
    }
    case 'lifecycle': {
      const rules = readLifecycleRules(body.toString());
      if (rules === null) throw new CosFailure(malformedXml());
      bucket.lifecycle = rules;
    }
  }
}

export function removeLifecycle(bucket: Bucket): void {
  delete bucket.lifecycle;
}

export function isAcl(text: string): text is Acl {
  return ACLS.includes(text);
}

export function aclOf({ acl }: Bucket): Acl {
  return acl ?? 'private';
}

function aclXml(acl: Acl): string {
  const owner = `<ID>${OWNER}</ID><DisplayName>${OWNER}</DisplayName>`;
  const grant = (type: string, grantee: string, permission: string) =>
    `<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="${type}">${grantee}</Grantee><Permission>${permission}</Permission></Grant>`;
  const publicPermissions = { private: [], 'public-read': ['READ'], 'public-read-write': ['READ', 'WRITE'] }[acl];
  const grants = [
    grant('CanonicalUser', owner, 'FULL_CONTROL'),
    ...publicPermissions.map((permission) => grant('Group', `<URI>${ALL_USERS_GROUP}</URI>`, permission)),
  ];
  return `<AccessControlPolicy><Owner>${owner}</Owner><AccessControlList>${grants.join('')}</AccessControlList></AccessControlPolicy>`;
}
