/** The keys of the account at Tencent: their sources, in order, and their renewal. Loads Tencent's SDK only to call STS. */
export {
  type CredentialChain,
  type CredentialSettings,
  configuredSource,
  openCredentials,
} from './chain.ts';
