/** What is wrong with who asks, said alike for both ways to sign. */
import type { ApiError } from './api-fault.ts';
import type { Credentials } from './settings.ts';

/** Seconds that a signature may be off, by the vendor's clock. */
const WINDOW_S = 300;

export function unknownId(): ApiError {
  return {
    code: 'AuthFailure.SecretIdNotFound',
    message: 'The SecretId is not found, please ensure that your SecretId is correct.',
  };
}

export function tokenProblem(keys: Credentials, token: string | undefined, now: number): ApiError | null {
  if (keys.token !== token)
    return { code: 'AuthFailure.TokenFailure', message: 'The token in the request is illegal.' };
  if (keys.expiresAt !== undefined && keys.expiresAt <= now)
    return { code: 'AuthFailure.TokenFailure', message: 'The token in the request has expired.' };
  return null;
}

/** @param timestamp seconds since 1970. */
export function clockProblem(timestamp: number, now: number): ApiError | null {
  if (Math.abs(now / 1000 - timestamp) <= WINDOW_S) return null;
  return {
    code: 'AuthFailure.SignatureExpire',
    message: 'The signature has expired, or the clock of the client is not synchronized.',
  };
}

export function signatureFailure(): ApiError {
  return {
    code: 'AuthFailure.SignatureFailure',
    message: 'The provided credentials could not be validated. Please check your signature is correct.',
  };
}
