/**
 * Checks the names and passwords of operators, from the login form and from Basic authentication.
 *
 * What must hold:
 * 1. A try counts before its password is checked, and is given back if the password is right (`LoginLimiter`).
 * 2. Too many failures are refused without a check, with the time to wait. The answer is the same for a right password.
 * 3. Each refusal is recorded (`Refusals`).
 */
import type { FastifyRequest } from 'fastify';
import type { LoginLimiter } from '../../client/redis/login-limiter.ts';
import { type Failure, localFailure } from '../../domain/errors/failure.ts';
import { authenticateOperator, type Operator } from '../../domain/operations/operators.ts';
import type { Refusals } from '../refusals.ts';
import { PasswordChecks } from './password-checks.ts';

/** Longer names and passwords are refused without a check. */
const MAX_CHARACTERS = 256;
const BUSY_MS = 5_000;

export interface PasswordLoginOptions {
  /** The present operators. */
  readonly operators: () => readonly Operator[];
  readonly limiter: Pick<LoginLimiter, 'take' | 'giveBack'>;
  readonly refusals: Refusals;
}

export interface Credentials {
  readonly name: string;
  readonly password: string;
  readonly way: 'form' | 'basic';
}

export class PasswordLogin {
  readonly #options: PasswordLoginOptions;
  readonly #checks = new PasswordChecks();

  constructor(options: PasswordLoginOptions) {
    this.#options = options;
  }

  /**
   * @returns null if name and password do not belong to an operator.
   * @throws Failure RATE_LIMITED with the time to wait
   */
  async check(request: FastifyRequest, credentials: Credentials): Promise<Operator | null> {
    const { name } = credentials;
    if (Math.max(name.length, credentials.password.length) > MAX_CHARACTERS) return this.#refuse(request, credentials);
    const turn = { address: request.ip, name };
    const done = await this.#checks.run(turn, () => this.#checkNow(request, credentials));
    if (done !== null) return done.result;
    await this.#refuse(request, credentials, 'busy');
    throw tooMany(BUSY_MS);
  }

  async #checkNow(request: FastifyRequest, credentials: Credentials): Promise<Operator | null> {
    const { operators, limiter } = this.#options;
    const { name: user, password } = credentials;
    const who = { user, address: request.ip };
    const waitMs = await limiter.take(who);
    if (waitMs > 0) {
      await this.#refuse(request, credentials, 'limited');
      throw tooMany(waitMs);
    }
    const operator = await authenticateOperator(operators(), user, password);
    if (operator === null) return this.#refuse(request, credentials);
    await limiter.giveBack(who);
    return operator;
  }

  async #refuse({ ip: address, id: requestId }: FastifyRequest, { way }: Credentials, why = 'wrong'): Promise<null> {
    await this.#options.refusals.record({ actor: null, address, requestId, what: `${way} ${why}` });
    return null;
  }
}

/** The name and password of Basic authentication, if the request has any. */
export function basicCredentials(authorization: string | undefined): Credentials | null {
  const [, pair] = /^Basic ([\w+/=-]+)$/i.exec(authorization ?? '') ?? [];
  if (pair === undefined) return null;
  const [, name = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(pair, 'base64').toString()) ?? [];
  return { name, password, way: 'basic' };
}

function tooMany(retryAfterMs: number): Failure {
  return localFailure('RATE_LIMITED', 'too many logins failed: wait, then try again', { retryAfterMs });
}
