/** The user that docs/redis.md shows: what stands there is what is tried. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface DocumentedUser {
  readonly name: string;
  readonly password: string;
  /** As ACL SETUSER takes them. */
  readonly rules: readonly string[];
  /** What a Cluster needs beside them. */
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
