/** Derives the sources of keys from the settings. Each function adds problems to `faults` and continues. */
import { join } from 'node:path';
import type { CredentialSettings } from '../adapters/credentials/index.ts';
import { METADATA_URL } from './setting-parsers.ts';
import type { ParsedSettings } from './settings.ts';

type Env = Readonly<Record<string, string | undefined>>;
type Keys = NonNullable<CredentialSettings['environment']>;

/** @param env raw variables: keys are checked even if other settings do not parse. */
export function deriveEnvironmentKeys(env: Env, faults: string[]): Keys | null {
  const secretId = env.TENCENTCLOUD_SECRET_ID;
  const secretKey = env.TENCENTCLOUD_SECRET_KEY;
  const token = env.TENCENTCLOUD_TOKEN;
  if (env.BESTFRAME_CREDENTIALS_FILE !== undefined) {
    const variables = ['TENCENTCLOUD_SECRET_ID', 'TENCENTCLOUD_SECRET_KEY', 'TENCENTCLOUD_TOKEN'];
    const variable = variables.find((name) => env[name] !== undefined);
    if (variable !== undefined)
      faults.push(`BESTFRAME_CREDENTIALS_FILE and ${variable} are both set: use the file or the variables, not both`);
    return null;
  }
  if (secretId === undefined && secretKey === undefined) {
    if (token !== undefined)
      faults.push('TENCENTCLOUD_TOKEN is set alone: set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY too');
    return null;
  }
  if (secretId === undefined) faults.push('TENCENTCLOUD_SECRET_KEY is set without TENCENTCLOUD_SECRET_ID: set both');
  if (secretKey === undefined) faults.push('TENCENTCLOUD_SECRET_ID is set without TENCENTCLOUD_SECRET_KEY: set both');
  if (secretId === undefined || secretKey === undefined) return null;
  return { secretId, secretKey, ...(token === undefined ? {} : { token }) };
}

export function deriveCredentials(
  settings: ParsedSettings,
  environment: Keys | null,
  faults: string[],
): CredentialSettings {
  const { BESTFRAME_ROLE_ARN: arn, BESTFRAME_REGIONS: regions } = settings;
  return {
    environment,
    file: settings.BESTFRAME_CREDENTIALS_FILE ?? null,
    profile: deriveProfile(settings),
    webIdentity: deriveWebIdentity(settings, faults),
    instanceRole: deriveInstanceRole(settings, faults),
    role: arn === undefined ? null : { arn },
    session: { name: settings.BESTFRAME_ROLE_SESSION, durationS: settings.BESTFRAME_ROLE_SECONDS },
    sts: { endpoint: settings.BESTFRAME_STS_ENDPOINT, region: regions[0] ?? 'ap-singapore' },
  };
}

function deriveProfile({
  TENCENTCLOUD_CREDENTIALS_FILE: named,
  HOME: home,
}: ParsedSettings): CredentialSettings['profile'] {
  if (named !== undefined) return { path: named, isDefault: false };
  return home === undefined ? null : { path: join(home, '.tencentcloud', 'credentials'), isDefault: true };
}

function deriveWebIdentity(settings: ParsedSettings, faults: string[]): CredentialSettings['webIdentity'] {
  const { TKE_REGION, TKE_PROVIDER_ID, TKE_WEB_IDENTITY_TOKEN_FILE, TKE_ROLE_ARN } = settings;
  if (TKE_WEB_IDENTITY_TOKEN_FILE === undefined) return null;
  if (TKE_REGION === undefined || TKE_PROVIDER_ID === undefined || TKE_ROLE_ARN === undefined) {
    const missing = Object.entries({ TKE_REGION, TKE_PROVIDER_ID, TKE_ROLE_ARN }).flatMap(([name, value]) =>
      value === undefined ? [name] : [],
    );
    faults.push(`TKE_WEB_IDENTITY_TOKEN_FILE is set without ${missing.join(' and ')}: set all four TKE_ variables`);
    return null;
  }
  return {
    region: TKE_REGION,
    providerId: TKE_PROVIDER_ID,
    tokenFile: TKE_WEB_IDENTITY_TOKEN_FILE,
    roleArn: TKE_ROLE_ARN,
  };
}

/** In live mode only Tencent's metadata service is asked; in test mode, only a metadata service on this machine. */
function deriveInstanceRole(settings: ParsedSettings, faults: string[]): CredentialSettings['instanceRole'] {
  const { BESTFRAME_MODE: mode, BESTFRAME_METADATA_URL: url, BESTFRAME_INSTANCE_ROLE: role } = settings;
  const isReal = url === METADATA_URL;
  if (!isReal && mode === 'live')
    faults.push('BESTFRAME_METADATA_URL is not Tencent’s, but BESTFRAME_MODE is live: remove it, or set test');
  if (role === undefined) return null;
  if (isReal && mode === 'test')
    faults.push('BESTFRAME_INSTANCE_ROLE would ask Tencent in test mode: set BESTFRAME_METADATA_URL to the emulator’s');
  return { metadataUrl: url, role: role === 'auto' ? null : role };
}
