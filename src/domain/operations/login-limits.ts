/**
 * How many logins may fail before further ones are refused without a check. Only failures count, over all processes and all ways
 * in: the login form, Basic authentication and API keys.
 */
export interface LoginLimits {
  /** Failures of one name or key from one address. */
  readonly pair: number;
  /** Failures from one address, with any name or key. */
  readonly address: number;
  /** Failures of one name or key from all addresses. */
  readonly user: number;
}

/**
 * A stranger who knows a name can lock it for everybody only from ten addresses, because one address is stopped after ten
 * failures. 100 guesses in five minutes do not find a password that is not among the most common ones.
 */
export const DEFAULT_LOGIN_LIMITS: LoginLimits = { pair: 10, address: 50, user: 100 };

/** Failures are forgotten this long after the first one. */
export const LOGIN_WINDOW_MS = 5 * 60_000;

/** Who tries to log in. */
export interface LoginTry {
  /** Name of the operator or id of the API key; null if the request has none. */
  readonly user: string | null;
  readonly address: string;
}
