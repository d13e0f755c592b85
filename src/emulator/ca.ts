/** The emulator's own certificate authority: made anew at each start, its key only in memory. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
/** The product refuses peers of a CA with this in its name where it runs in live mode. */
const NAME = 'CN=Bestframe Emulator CA, O=not for production';

export interface Authority {
  readonly pem: string;
  contextFor(host: string): Promise<SecureContext>;
}

export async function createAuthority(): Promise<Authority> {
  const crypto = webcrypto;
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const notBefore = new Date(Date.now() - DAY_MS);
  const notAfter = new Date(Date.now() + 30 * DAY_MS);
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: NAME,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      ],
    },
    crypto,
  );
  const pem = root.toString('pem');
  // One key for all hosts: making one costs more than the certificate, and nothing is kept secret here.
  const leafKeys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const key = pemOf('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', leafKeys.privateKey));
  let serial = 1;

  async function issue(host: string): Promise<SecureContext> {
    serial += 1;
    const leaf = await X509CertificateGenerator.create(
      {
        serialNumber: serial.toString(16).padStart(4, '0'),
        subject: `CN=${host.slice(0, 64)}`,
        issuer: NAME,
        notBefore,
        notAfter,
        signingAlgorithm: ALGORITHM,
        publicKey: leafKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
          // Strict verifiers, Python's since 3.13 for one, refuse a certificate that does not name its issuer's key.
          await AuthorityKeyIdentifierExtension.create(keys.publicKey, false, crypto),
        ],
      },
      crypto,
    );
    return createSecureContext({ key, cert: `${leaf.toString('pem')}\n${pem}` });
  }

  const known = new Map<string, Promise<SecureContext>>();
  return {
    pem,
    contextFor(host) {
      const context = known.get(host) ?? issue(host);
      known.set(host, context);
      return context;
    },
  };
}

function pemOf(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
