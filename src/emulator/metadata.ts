/**
 * A stand-in on loopback for the metadata service of a CVM instance: the name of the bound role, and its temporary keys. The real
 * service is `http://metadata.tencentyun.com`. The emulator's proxy does not serve that address, because instances reach it
 * directly.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer, Exchange } from './exchange.ts';
import type { IssuedKeys, KeyRegistry } from './key-registry.ts';
import { listen } from './proxy.ts';
import type { Settings } from './settings.ts';
import type { Arrival } from './stall-detector.ts';

const PATH = '/latest/meta-data/cam/security-credentials/';
/** How long the keys live. Tencent documents no number for the real service; six hours are common. */
const LIFE_MS = 6 * 3_600_000;

export interface MetadataOptions {
  readonly keys: KeyRegistry;
  readonly settings: Settings;
  /** The vendor's clock. */
  now(): number;
}

export class Metadata {
  readonly #options: MetadataOptions;
  #issued: { readonly keys: IssuedKeys; readonly lifeMs: number } | null = null;

  constructor(options: MetadataOptions) {
    this.#options = options;
  }

  exchange(request: IncomingMessage, response: ServerResponse, arrival: Arrival): Exchange {
    request.resume();
    const path = new URL(request.url ?? '/', 'http://metadata').pathname;
    const isKeys = path.startsWith(PATH) && path.length > PATH.length;
    return {
      request,
      response,
      call: { service: 'metadata', action: isKeys ? 'GetRoleKeys' : 'GetRoleName' },
      arrival,
      perform: async () => this.#perform(path),
      refuse: (fault) => answerText((fault.kind === 'error' ? fault.status : undefined) ?? 503, fault.code),
    };
  }

  reset(): void {
    this.#issued = null;
  }

  #perform(path: string): Answer {
    const { instanceRole } = this.#options.settings;
    if (path === PATH && instanceRole !== null) return answerText(200, instanceRole);
    if (path !== `${PATH}${instanceRole}` || instanceRole === null) return answerText(404, 'Not Found');
    const { secretId, secretKey, token, expiresAt } = this.#currentKeys();
    const fields = {
      TmpSecretId: secretId,
      TmpSecretKey: secretKey,
      ExpiredTime: expiresAt / 1_000,
      Expiration: new Date(expiresAt).toISOString().replace('.000', ''),
      Token: token,
      Code: 'Success',
    };
    return answerText(200, JSON.stringify(fields));
  }

  /** Answers the same keys until half of their life is over. */
  #currentKeys(): IssuedKeys {
    const { keys, settings } = this.#options;
    const now = this.#options.now();
    if (this.#issued === null || this.#issued.keys.expiresAt - now < this.#issued.lifeMs / 2) {
      const lifeMs = settings.keyTtlMs ?? LIFE_MS;
      this.#issued = { keys: keys.issue(now + lifeMs, now), lifeMs };
    }
    return this.#issued.keys;
  }
}

function answerText(status: number, text: string): Answer {
  const facts = { code: status === 200 ? 'Success' : String(status), billed: false };
  return { status, headers: { 'content-type': 'text/plain' }, body: Buffer.from(text), facts };
}

export interface MetadataServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function startMetadataServer(
  port: number,
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<MetadataServer> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await listen(server, port, '127.0.0.1');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
