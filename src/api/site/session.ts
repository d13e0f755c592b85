/**
 * Who is at the other end: a cookie that says so, signed; a proxy that is configured; or, for programs that only read, a name
 * and a password with each request.
 *
 * What must hold: a cookie is worth what its signature says and no longer than its time; a form is acted on only with the
 * token of the session that it was made for; a proxy's word counts only from a proxy.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { BlockList, isIPv6 } from 'node:net';
import { type Operator, operatorBy } from '../../domain/operators.ts';

export const SESSION_MS = 8 * 3_600_000;
export const COOKIE = 'bestframe';

export interface Proxies {
  /** Name of the header that says who it is, in small letters. */
  readonly header: string;
  /** Addresses or networks whose word counts. */
  readonly trusted: readonly string[];
}

export class Sessions {
  readonly #operators: readonly Operator[];
  readonly #secret: string;
  readonly #proxies: Proxies | null;
  readonly #trusted: BlockList;

  constructor(operators: readonly Operator[], secret: string, proxies: Proxies | null) {
    this.#operators = operators;
    this.#secret = secret;
    this.#proxies = proxies;
    this.#trusted = blockListOf(proxies?.trusted ?? []);
  }

  static newSecret(): string {
    return randomBytes(32).toString('base64url');
  }

  login(name: string, password: string): Promise<Operator | null> {
    return operatorBy(this.#operators, name, password);
  }

  /** Of a cookie: the name and its end, with a signature over both. */
  begin({ name }: Operator, now: number): string {
    const said = `${Buffer.from(name).toString('base64url')}.${now + SESSION_MS}`;
    return `${said}.${this.#sign('session', said)}`;
  }

  byCookie(cookie: string | undefined, now: number): Operator | null {
    const [, said = '', name = '', until, signature = ''] = /^(([\w-]+)\.(\d+))\.([\w-]+)$/.exec(cookie ?? '') ?? [];
    if (said === '' || !same(signature, this.#sign('session', said)) || Number(until) < now) return null;
    return this.#named(Buffer.from(name, 'base64url').toString());
  }

  /** @param address of whoever is connected, and not what a header says of it. */
  byProxy(headers: Readonly<Record<string, unknown>>, address: string): Operator | null {
    if (this.#proxies === null || !this.#isTrusted(address)) return null;
    const name = headers[this.#proxies.header];
    return typeof name === 'string' ? this.#named(name) : null;
  }

  /** Basic auth: for reading only, since a browser would send it with anybody's form. */
  async byPassword(authorization: string | undefined): Promise<Operator | null> {
    const [, pair] = /^Basic ([\w+/=-]+)$/i.exec(authorization ?? '') ?? [];
    if (pair === undefined) return null;
    const [, name = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(pair, 'base64').toString()) ?? [];
    return this.login(name, password);
  }

  /** What a form carries, so that it can only have come from a page of ours. */
  tokenOf({ name }: Operator): string {
    return this.#sign('form', name);
  }

  isToken(operator: Operator, token: unknown): boolean {
    return typeof token === 'string' && same(token, this.tokenOf(operator));
  }

  #named(name: string): Operator | null {
    return this.#operators.find((each) => each.name === name) ?? null;
  }

  #isTrusted(address: string): boolean {
    const bare = address.replace(/^::ffff:/, '');
    return this.#trusted.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
  }

  #sign(what: string, text: string): string {
    return createHmac('sha256', this.#secret).update(`${what}/${text}`).digest('base64url');
  }
}

function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function same(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
