/** Who may look at a deployment and act on it, by name and password. */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** Everybody who is known may look. `operator`: held ones, gates. `frames`: pictures. */
export const ROLES = ['operator', 'frames'] as const;
export type Role = (typeof ROLES)[number];

export interface Operator {
  readonly name: string;
  readonly roles: readonly Role[];
  /** `scrypt:<salt>:<key>`, each base64url; null: known by a proxy only. */
  readonly password: string | null;
}

const HASH = /^scrypt:([\w-]{22}):([\w-]{43})$/;
const derive = promisify(scrypt) as (password: string, salt: Buffer, bytes: number) => Promise<Buffer>;

/** Words that people choose are slow to try: 16 MB and some 50 ms each. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password.normalize('NFKC'), salt, 32);
  return `scrypt:${salt.toString('base64url')}:${key.toString('base64url')}`;
}

export function isPasswordHash(text: string): boolean {
  return HASH.test(text);
}

/** Takes as long for a name that nobody has. @returns null where it is nobody's. */
export async function operatorBy(
  operators: readonly Operator[],
  name: string,
  password: string,
): Promise<Operator | null> {
  const found = operators.find((each) => each.name === name && each.password !== null);
  const [, salt, key] = HASH.exec(found?.password ?? NOBODYS) ?? [];
  if (salt === undefined || key === undefined) throw new Error('a password is kept as a hash');
  const given = await derive(password.normalize('NFKC'), Buffer.from(salt, 'base64url'), 32);
  const same = timingSafeEqual(given, Buffer.from(key, 'base64url'));
  return same && found !== undefined ? found : null;
}

const NOBODYS = `scrypt:${Buffer.alloc(16).toString('base64url')}:${Buffer.alloc(32).toString('base64url')}`;

/**
 * `name=role+role=scrypt:…`, comma-separated; without a password one is known by a proxy only, without roles one only looks.
 * @returns what is wrong, where something is.
 */
export function readOperators(entries: readonly string[]): { operators: Operator[] } | { fault: string } {
  const operators: Operator[] = [];
  for (const entry of entries) {
    const [name = '', given = '', password = null] = entry.split('=');
    const words = given.split('+').filter((word) => word !== '' && word !== 'viewer');
    const roles = ROLES.filter((role) => words.includes(role));
    if (
      !/^[\w.@-]{1,64}$/.test(name) ||
      (password !== null && !isPasswordHash(password)) ||
      roles.length < words.length
    )
      return {
        fault:
          'is not name=roles=password: roles are viewer, operator and frames joined by +, a password is what `bestframe dashboard --hash` prints',
      };
    if (operators.some((each) => each.name === name)) return { fault: `names ${name} twice: leave one` };
    operators.push({ name, roles, password });
  }
  return { operators };
}
