/** Reads the Redis user from docs/redis.md, so that the tests run with the documented permissions. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DocumentedUser {
  readonly name: string;
  readonly password: string;
  /** Rules in the syntax of ACL SETUSER. */
  readonly rules: readonly string[];
  /** Further rules that a Cluster needs. */
  readonly forCluster: readonly string[];
}

export function documentedUser(): DocumentedUser {
  const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'redis.md'), 'utf8');
  const lines = [...page.matchAll(/^ACL SETUSER (\S+) (.+)$/gm)].map(([, name = '', rules = '']) => ({ name, rules }));
  const rulesOf = (cluster: boolean) =>
    lines.flatMap(({ rules }) => (rules.includes('+cluster|') === cluster ? rules.split(' ') : []));
  const rules = rulesOf(false);
  const password = rules.find((rule) => rule.startsWith('>'))?.slice(1);
  if (password === undefined) throw new Error('docs/redis.md shows no user with a password');
  return { name: lines[0]?.name ?? '', password, rules, forCluster: rulesOf(true) };
}
