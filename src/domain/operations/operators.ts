/** Operators: people who may view a deployment and act on it. They log in with name and password, or a proxy identifies them. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** Every operator may view. `operator`: may resolve held verifications and control gates. `frames`: may see pictures. */
export const ROLES = ['operator', 'frames'] as const;
export type Role = (typeof ROLES)[number];

/** A person who may log in. */
export interface Operator {
  readonly name: string;
  readonly roles: readonly Role[];
  /** `scrypt:<salt>:<key>`, each base64url. Null if only a proxy can identify this operator. */
  readonly password: string | null;
}

const HASH = /^scrypt:([\w-]{22}):([\w-]{43})$/;
const derive = promisify(scrypt) as (password: string, salt: Buffer, bytes: number) => Promise<Buffer>;

/** Used instead of a hash if the operator is unknown, so that the login takes as long as for a known operator. */
const DUMMY_HASH = `scrypt:${Buffer.alloc(16).toString('base64url')}:${Buffer.alloc(32).toString('base64url')}`;

/** Hashes slowly, because people choose weak passwords: each hash takes 16 MB and about 50 ms. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password.normalize('NFKC'), salt, 32);
  return `scrypt:${salt.toString('base64url')}:${key.toString('base64url')}`;
}

export function isPasswordHash(text: string): boolean {
  return HASH.test(text);
}

/**
 * Checks name and password. Refusing an unknown name takes as long as refusing a wrong password.
 *
 * @returns null if name and password do not belong to an operator.
 */
export async function authenticateOperator(
  operators: readonly Operator[],
  name: string,
  password: string,
): Promise<Operator | null> {
  const operator = operators.find((each) => each.name === name && each.password !== null);
  const [, salt, key] = HASH.exec(operator?.password ?? DUMMY_HASH) ?? [];
  if (salt === undefined || key === undefined) throw new Error('the stored password is not a hash');
  const given = await derive(password.normalize('NFKC'), Buffer.from(salt, 'base64url'), 32);
  const matches = timingSafeEqual(given, Buffer.from(key, 'base64url'));
  return matches && operator !== undefined ? operator : null;
}

/**
 * Parses entries of the form `name=role+role=scrypt:…`. An operator without a password can only be identified by a proxy; an
 * operator without roles can only view.
 *
 * @returns the operators, or what is wrong with an entry.
 */
export function parseOperators(entries: readonly string[]): { operators: Operator[] } | { fault: string } {
  const operators: Operator[] = [];
  for (const entry of entries) {
    const [name = '', roleText = '', password = null] = entry.split('=');
    const words = roleText.split('+').filter((word) => word !== '' && word !== 'viewer');
    const roles = ROLES.filter((role) => words.includes(role));
    if (
      !/^[\w.@-]{1,64}$/.test(name) ||
      (password !== null && !isPasswordHash(password)) ||
      roles.length < words.length
    )
      return {
        fault:
          'is not name=roles=password: join the roles viewer, operator and frames with +, and use a password hash from `bestframe dashboard --hash`',
      };
    if (operators.some((each) => each.name === name)) return { fault: `names ${name} twice: remove one` };
    operators.push({ name, roles, password });
  }
  return { operators };
}
