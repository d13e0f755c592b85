/**
 * The keys of the role that is bound to the CVM instance. The instance's metadata service answers plain HTTP on a link-local
 * address, so it is asked directly, without the proxy.
 */
import { get as httpGet } from 'node:http';
import { z } from 'zod';
import { Failure } from '../../domain/errors/failure.ts';
import { keysUnavailable, noCredentials, type TemporaryKeys } from './keys.ts';

export interface InstanceRole {
  /** The base URL of the metadata service, without a path. */
  readonly metadataUrl: string;
  /** The name of the role. Null: the metadata service is asked for the name. */
  readonly role: string | null;
}

const PATH = '/latest/meta-data/cam/security-credentials/';
const MAX_ANSWER_BYTES = 64 * 1024;

const answerShape = z.object({
  Code: z.literal('Success'),
  TmpSecretId: z.string().min(1),
  TmpSecretKey: z.string().min(1),
  Token: z.string().min(1),
  ExpiredTime: z.number(),
});

/** @throws Failure NO_CREDENTIALS if no role is bound, KEYS_UNAVAILABLE if the service cannot be reached. */
export async function instanceRoleKeys(
  { metadataUrl, role }: InstanceRole,
  signal: AbortSignal,
): Promise<TemporaryKeys> {
  const name = role ?? (await ask(`${metadataUrl}${PATH}`, signal)).trim();
  if (!/^[\w+=,.@-]{1,128}$/.test(name)) throw noRole();
  const text = await ask(`${metadataUrl}${PATH}${encodeURIComponent(name)}`, signal);
  const { data } = answerShape.safeParse(parseJson(text));
  if (data === undefined) throw keysUnavailable('the metadata service answered no keys: Bestframe asks again');
  return {
    secretId: data.TmpSecretId,
    secretKey: data.TmpSecretKey,
    token: data.Token,
    expiresAt: data.ExpiredTime * 1_000,
  };
}

async function ask(url: string, signal: AbortSignal): Promise<string> {
  const { status, text } = await getText(url, signal).catch((error: unknown) => {
    if (signal.aborted && signal.reason instanceof Failure) throw signal.reason;
    const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    const message = `the metadata service cannot be reached${why}: run on a CVM instance with a role, or configure other keys`;
    throw keysUnavailable(message, error);
  });
  if (status === 200) return text;
  if (status === 404) throw noRole();
  throw keysUnavailable(`the metadata service answered with status ${status}: Bestframe asks again`);
}

function getText(url: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpGet(url, { signal, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      let size = 0;
      response.on('data', (piece: Buffer) => {
        size += piece.length;
        if (size > MAX_ANSWER_BYTES) request.destroy(new Error('the answer is too long'));
        else pieces.push(piece);
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
    });
    request.once('error', reject);
  });
}

function noRole(): Failure {
  return noCredentials('no such role is bound to this instance: bind one, or correct BESTFRAME_INSTANCE_ROLE');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // The parser's message quotes the text, which may contain keys.
  }
}
