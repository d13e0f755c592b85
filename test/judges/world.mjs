/** Starts the services that a suite calls: an emulator of its own, and a server that issues temporary keys. */
import { createServer } from 'node:http';
import { join } from 'node:path';
import COS from 'cos-nodejs-sdk-v5';
import { root } from '../../scripts/child-process.mjs';

export const APP_ID = '1250000000';
export const REGION = 'ap-guangzhou';
const TEMPORARY = { secretId: 'AKIDjudgetemporary', secretKey: 'judge-temporary-key', token: 'judge-session-token' };

/**
 * @param dir folder for the emulator
 * @param buckets names of buckets in REGION
 * @returns the emulator's addresses and keys, and environment variables that direct any program to the emulator
 */
export async function openWorld(dir, buckets = []) {
  const { startEmulator } = await import(join(root, 'dist', 'src', 'emulator', 'index.js'));
  const credentials = { secretId: 'AKIDjudge00000000000000000000000000000', secretKey: 'judge-secret-key' };
  const emulator = await startEmulator({
    dir,
    credentials: [credentials, TEMPORARY],
    buckets: buckets.map((name) => ({ name, region: REGION })),
    settings: { qps: {}, latencyMs: {} },
    onError: (error) => console.error(error),
  });
  const { proxyUrl, caFile } = emulator;
  const keys = await startKeyServer(credentials);
  return {
    ...credentials,
    proxyUrl,
    controlUrl: emulator.controlUrl,
    stsUrl: keys.url,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      http_proxy: proxyUrl,
      https_proxy: proxyUrl,
      no_proxy: '127.0.0.1,localhost',
      HTTP_PROXY: proxyUrl,
      HTTPS_PROXY: proxyUrl,
      NO_PROXY: '127.0.0.1,localhost',
      NODE_EXTRA_CA_CERTS: caFile,
      REQUESTS_CA_BUNDLE: caFile,
      SSL_CERT_FILE: caFile,
    },
    async close() {
      await keys.close();
      await emulator.close();
    },
  };
}

/** `/sts` hands out a temporary key, `/uploadSign` a signature for a PUT of `1.txt`. */
async function startKeyServer({ secretId: SecretId, secretKey: SecretKey }) {
  const server = createServer((request, response) => {
    const now = Math.floor(Date.now() / 1000);
    const { secretId, secretKey, token } = TEMPORARY;
    const sts = {
      credentials: { tmpSecretId: secretId, tmpSecretKey: secretKey, sessionToken: token },
      startTime: now,
      expiredTime: now + 1_800,
    };
    const sign = { SecretId, SecretKey, Method: 'PUT', Pathname: '/1.txt' };
    const answer = request.url === '/sts' ? sts : { signMap: { PutObject: COS.getAuthorization(sign) } };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answer));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
