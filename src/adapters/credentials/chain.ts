/**
 * Chooses where the keys come from. Uses the first source in this list that is configured, and does not ask the others:
 *
 * 1. environment: TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY, TENCENTCLOUD_TOKEN
 * 2. credentials file: BESTFRAME_CREDENTIALS_FILE
 * 3. profile: TENCENTCLOUD_CREDENTIALS_FILE, else ~/.tencentcloud/credentials if it exists
 * 4. web identity of a TKE pod: TKE_REGION, TKE_PROVIDER_ID, TKE_WEB_IDENTITY_TOKEN_FILE, TKE_ROLE_ARN
 * 5. role of the CVM instance: only if BESTFRAME_INSTANCE_ROLE allows it
 *
 * If BESTFRAME_ROLE_ARN is set, the keys of the source are used to assume that role.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Failure } from '../../domain/errors/failure.ts';
import { createTransport, type TransportOptions } from '../http/transport.ts';
import { type InstanceRole, instanceRoleKeys } from './instance-role.ts';
import { type CredentialsProvider, type Keys, noCredentials, staticCredentials } from './keys.ts';
import { fileCredentials, profileCredentials, readOrFail } from './keys-file.ts';
import { type RenewedKeys, renewedKeys } from './renewed-keys.ts';
import { assumeRole, assumeRoleWithWebIdentity, type RoleRequest, type StsOptions } from './sts.ts';

/** The configuration of each source. Null: the source is not configured. */
export interface CredentialSettings {
  readonly environment: Keys | null;
  readonly file: string | null;
  /** `isDefault` is true if nobody configured the path. In this case, the source counts as configured only if the file exists. */
  readonly profile: { readonly path: string; readonly isDefault: boolean } | null;
  readonly webIdentity: {
    readonly region: string;
    readonly providerId: string;
    readonly tokenFile: string;
    readonly roleArn: string;
  } | null;
  readonly instanceRole: InstanceRole | null;
  /** The role to assume with the keys of the source. */
  readonly role: { readonly arn: string } | null;
  /** Name and duration of the session, for every role that is assumed, including the role of a web identity. */
  readonly session: { readonly name: string; readonly durationS: number };
  readonly sts: { readonly endpoint: string; readonly region: string };
}

export type KeySource = 'environment' | 'credentials file' | 'profile file' | 'web identity' | 'instance role';

export interface CredentialChain extends CredentialsProvider {
  readonly source: KeySource;
  readonly assumesRole: boolean;
  close(): Promise<void>;
}

export interface ChainOptions {
  readonly settings: CredentialSettings;
  /** How calls to STS reach Tencent. */
  readonly egress: TransportOptions;
  /** Called when a renewal has failed. The old keys stay in use until `expiresAt`. */
  readonly onTrouble?: ((failure: Failure, expiresAt: number) => void) | undefined;
}

/** The first source that is configured; null if none is. */
export function configuredSource(settings: CredentialSettings): KeySource | null {
  const { environment, file, profile, webIdentity, instanceRole } = settings;
  if (environment !== null) return 'environment';
  if (file !== null) return 'credentials file';
  if (profile !== null && (!profile.isDefault || existsSync(profile.path))) return 'profile file';
  if (webIdentity !== null) return 'web identity';
  return instanceRole === null ? null : 'instance role';
}

/** @throws Failure NO_CREDENTIALS if no source is configured. Nothing is read or called before the first `get`. */
export function openCredentials({ settings, egress, onTrouble }: ChainOptions): CredentialChain {
  const source = configuredSource(settings);
  if (source === null) throw nothingConfigured();
  const transport = createTransport(egress);
  const renewing: RenewedKeys[] = [];
  const renewed = (...options: Parameters<typeof renewedKeys>) => {
    const keys = renewedKeys(...options);
    renewing.push(keys);
    return keys;
  };
  const sts: StsOptions = { transport, ...settings.sts };
  const base = createSource(source, settings, (obtain) => renewed((signal) => obtain(sts, signal), onTrouble));
  const { role, session } = settings;
  const top =
    role === null
      ? base
      : renewed(async (signal) => assumeRole(sts, await base.get(), roleRequest(role.arn, session), signal), onTrouble);
  return {
    source,
    assumesRole: role !== null,
    get: (lifeMs) => top.get(lifeMs),
    close: async () => {
      for (const keys of renewing) keys.close();
      await transport.close();
    },
  };
}

type Obtain = (sts: StsOptions, signal: AbortSignal) => ReturnType<typeof assumeRole>;

function createSource(
  source: KeySource,
  { environment, file, profile, webIdentity, instanceRole, session }: CredentialSettings,
  renewed: (obtain: Obtain) => RenewedKeys,
): CredentialsProvider {
  if (source === 'environment' && environment !== null) return staticCredentials(environment);
  if (source === 'credentials file' && file !== null) return fileCredentials(file);
  if (source === 'profile file' && profile !== null) return profileCredentials(profile.path);
  if (source === 'web identity' && webIdentity !== null) {
    const { region, providerId, tokenFile, roleArn } = webIdentity;
    return renewed(async (sts, signal) => {
      const subject = 'the file of TKE_WEB_IDENTITY_TOKEN_FILE';
      const token = (await readOrFail(subject, () => readFile(tokenFile, 'utf8'))).trim();
      const role = roleRequest(roleArn, session);
      return assumeRoleWithWebIdentity({ ...sts, region }, { providerId, token }, role, signal);
    });
  }
  if (instanceRole === null) throw nothingConfigured();
  return renewed((_sts, signal) => instanceRoleKeys(instanceRole, signal));
}

function roleRequest(arn: string, { name, durationS }: CredentialSettings['session']): RoleRequest {
  return { arn, sessionName: name, durationS };
}

function nothingConfigured(): Failure {
  const message =
    'there are no credentials. Tried: TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, BESTFRAME_CREDENTIALS_FILE, ' +
    'the profile file, TKE_WEB_IDENTITY_TOKEN_FILE, BESTFRAME_INSTANCE_ROLE: configure one of them';
  return noCredentials(message);
}
