/** Credential checks and errors shared by both FaceID signature schemes. */
import type { ApiError } from './api-failure.ts';
import type { Credentials } from './settings.ts';

/** Maximum difference, in seconds, between a request's timestamp and the vendor's clock. */
const CLOCK_TOLERANCE_S = 300;

export function secretIdNotFound(): ApiError {
  return {
    code: 'AuthFailure.SecretIdNotFound',
    message: 'The SecretId is not found, please ensure that your SecretId is correct.',
  };
}

/** @returns null if the token is valid. */
export function checkToken(credentials: Credentials, token: string | undefined, now: number): ApiError | null {
  if (credentials.token !== token)
    return { code: 'AuthFailure.TokenFailure', message: 'The token in the request is illegal.' };
  if (credentials.expiresAt !== undefined && credentials.expiresAt <= now)
    return { code: 'AuthFailure.TokenFailure', message: 'The token in the request has expired.' };
  return null;
}

/**
 * @param timestamp seconds since 1970.
 * @param now the vendor's clock, ms since 1970.
 * @returns why the timestamp is refused; null if it is close enough to the vendor's clock.
 */
export function checkTimestamp(timestamp: number, now: number): ApiError | null {
  if (Math.abs(now / 1000 - timestamp) <= CLOCK_TOLERANCE_S) return null;
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
