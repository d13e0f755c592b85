/** A webhook receiver: a real https server on this machine with its own CA. It records every request. */
import { writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createAuthority } from '../../src/emulator/ca.ts';

export interface Heard {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type Answer = (response: ServerResponse, heard: Heard) => void;

export interface Receiver {
  readonly heard: readonly Heard[];
  readonly caFile: string;
  url(path: string, host?: string): string;
  /** Sets the answer for a path. A path whose answer is not set answers 204. */
  answer(path: string, answer: Answer | number): void;
  at(path: string): Heard[];
  /** Resolves with the first request that matches. It may have arrived already, or may still come. */
  waitFor(what: (heard: Heard) => boolean): Promise<Heard>;
  close(): Promise<void>;
}

/** @param dir the folder for the file of the CA. */
export async function startReceiver(dir: string): Promise<Receiver> {
  const authority = await createAuthority();
  const caFile = join(dir, 'receiver-ca.pem');
  await writeFile(caFile, authority.pem);
  const heard: Heard[] = [];
  const answers = new Map<string, Answer>();
  const looks = new Set<() => void>();
  const server = createServer(
    {
      SNICallback: (host, done) => {
        authority.contextFor(host).then(
          (context) => done(null, context),
          (error: Error) => done(error),
        );
      },
    },
    async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const body = Buffer.concat(pieces).toString();
      const { type, data } = JSON.parse(body) as Pick<Heard, 'type' | 'data'>;
      const path = request.url ?? '';
      const one = { path, headers: request.headers, body, id: String(request.headers['webhook-id']), type, data };
      heard.push(one);
      const answer = answers.get(path) ?? ((to) => to.writeHead(204).end());
      answer(response, one);
      for (const look of [...looks]) look();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    heard,
    caFile,
    url: (path, host = 'localhost') => `https://${host}:${port}${path}`,
    answer(path, answer) {
      answers.set(path, typeof answer === 'number' ? (to) => to.writeHead(answer).end() : answer);
    },
    at: (path) => heard.filter((one) => one.path === path),
    waitFor: (what) =>
      new Promise((resolve) => {
        const look = () => {
          const found = heard.find(what);
          if (found === undefined) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
      }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
