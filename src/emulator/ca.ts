/**
 * The emulator's own certificate authority. `openAuthority` keeps the authority in a folder, so that it survives a restart:
 * programs that trust it need no new CA file.
 */
import 'reflect-metadata';
import { createPrivateKey, X509Certificate as NodeCertificate, randomBytes, webcrypto } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const LIFETIME_MS = 365 * DAY_MS;
/** When the emulator starts, it replaces an authority that expires sooner than this. */
const MIN_REMAINING_MS = 30 * DAY_MS;
/** In live mode, the product recognises this name and refuses the CA's certificates. */
const NAME = 'CN=Bestframe Emulator CA, O=not for production';

type KeyPair = webcrypto.CryptoKeyPair;

interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Authority {
  /** The CA's certificate. */
  readonly pem: string;
  /** A TLS context with a certificate for this host. */
  contextFor(host: string): Promise<SecureContext>;
}

/** A key and its certificate, in PEM. */
interface Root {
  readonly certificate: string;
  readonly key: string;
}

/** Opens the authority in `ca.pem` and `ca-key.pem`. If there is none, or its certificate expires soon, creates a new one. */
export async function openAuthority(dir: string): Promise<Authority & { readonly caFile: string }> {
  const caFile = join(dir, 'ca.pem');
  const keyFile = join(dir, 'ca-key.pem');
  const kept = await readRoot(caFile, keyFile);
  const root = kept ?? (await createRoot());
  if (kept === null) {
    await rm(keyFile, { force: true }); // `mode` only applies to a file that is created
    await writeFile(keyFile, root.key, { mode: 0o600 });
    await writeFile(caFile, root.certificate);
  }
  return { ...(await authorityOf(root)), caFile };
}

/** Creates an authority whose key stays in memory. */
export async function createAuthority(): Promise<Authority> {
  return authorityOf(await createRoot());
}

/** @returns null unless the files hold a certificate of ours with its key. */
async function readRoot(caFile: string, keyFile: string): Promise<Root | null> {
  try {
    const [certificate, key] = await Promise.all([readFile(caFile, 'utf8'), readFile(keyFile, 'utf8')]);
    const parsed = new NodeCertificate(certificate);
    const remainingMs = Date.parse(parsed.validTo) - Date.now();
    const isOurs = parsed.checkPrivateKey(createPrivateKey(key)) && parsed.ca && remainingMs > MIN_REMAINING_MS;
    return isOurs ? { certificate, key } : null;
  } catch {
    return null; // missing or damaged
  }
}

async function createRoot(): Promise<Root> {
  const keys = await generateKeys();
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + LIFETIME_MS) };
  const certificate = `${await createRootCertificate(keys, validity)}\n`;
  return { certificate, key: encodePem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)) };
}

async function authorityOf({ certificate: pem, key: caKey }: Root): Promise<Authority> {
  const root = new X509Certificate(pem);
  const validity = { notBefore: root.notBefore, notAfter: root.notAfter };
  const caKeys = await importKeys(caKey, root);
  // All hosts share one key: generating a key costs more than signing a certificate, and nothing here is secret.
  const hostKeys = await generateKeys();
  const key = encodePem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', hostKeys.privateKey));

  async function issue(host: string): Promise<SecureContext> {
    const leaf = await X509CertificateGenerator.create(
      {
        serialNumber: `01${randomBytes(15).toString('hex')}`,
        subject: `CN=${host.slice(0, 64)}`,
        issuer: NAME,
        ...validity,
        signingAlgorithm: ALGORITHM,
        publicKey: hostKeys.publicKey,
        signingKey: caKeys.privateKey,
        extensions: [
          new BasicConstraintsExtension(false, undefined, true),
          new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
          new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
          new SubjectAlternativeNameExtension([{ type: 'dns', value: host }]),
          // Strict verifiers, such as Python since 3.13, refuse a certificate that does not name its issuer's key.
          await AuthorityKeyIdentifierExtension.create(caKeys.publicKey, false, webcrypto),
        ],
      },
      webcrypto,
    );
    return createSecureContext({ key, cert: `${leaf.toString('pem')}\n${pem}` });
  }

  const contexts = new Map<string, Promise<SecureContext>>();
  return {
    pem,
    contextFor(host) {
      const context = contexts.get(host) ?? issue(host);
      contexts.set(host, context);
      return context;
    },
  };
}

async function importKeys(caKey: string, root: X509Certificate): Promise<KeyPair> {
  const pkcs8 = createPrivateKey(caKey).export({ type: 'pkcs8', format: 'der' });
  const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']);
  return { privateKey, publicKey: (await root.publicKey.export(webcrypto)) as webcrypto.CryptoKey };
}

function generateKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function createRootCertificate(keys: KeyPair, validity: Validity): Promise<string> {
  const root = await X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: NAME,
      ...validity,
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return root.toString('pem');
}

function encodePem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
