/**
 * The roots that connections trust: the usual ones, and those in a PEM file.
 *
 * What must hold:
 * 1. If the file is unusable when the process starts, this is an error. If it becomes unusable later, the roots that were read
 *    last stay in use.
 * 2. A store of 140 roots is built once per process and content of the file. Building it takes about 45 ms, which is more
 *    than a handshake, and a process opens several connectors.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { localFailure } from '../../domain/errors/failure.ts';
import { CODES } from '../../domain/errors/index.ts';

export class TrustedRoots {
  readonly #caFile: string | undefined;
  #version: string;
  #context: SecureContext;

  /** @throws Failure INVALID_SETTINGS if the file cannot be read or contains no certificate. */
  constructor(caFile: string | undefined) {
    this.#caFile = caFile;
    this.#version = versionOf(caFile);
    try {
      this.#context = readContext(caFile);
    } catch (cause) {
      const message = 'the CA file is not a readable PEM certificate: correct its path, permissions or content';
      throw localFailure(CODES.INVALID_SETTINGS, message, { cause });
    }
  }

  /** The context for a new connection. If the file has changed, it is read again. */
  get context(): SecureContext {
    const version = versionOf(this.#caFile);
    if (version === this.#version) return this.#context;
    this.#version = version;
    try {
      this.#context = readContext(this.#caFile);
    } catch {
      // The file is gone or being written. It is read again when it changes the next time.
    }
    return this.#context;
  }
}

function versionOf(caFile: string | undefined): string {
  if (caFile === undefined) return '';
  const stats = statSync(caFile, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? 'missing' : `${stats.ino}:${stats.mtimeNs}:${stats.size}`;
}

/** The latest content that a connector of this process has read. All of them have the same file, so one is enough. */
let latest: { readonly pem: string; readonly context: SecureContext } | null = null;

function readContext(caFile: string | undefined): SecureContext {
  if (caFile === undefined) return createSecureContext();
  const pem = readFileSync(caFile, 'utf8');
  if (latest?.pem === pem) return latest.context;
  new X509Certificate(pem); // throws if the file contains no certificate: TLS would accept such a file and trust nothing new
  latest = { pem, context: createSecureContext({ ca: [...rootCertificates, pem] }) };
  return latest.context;
}
