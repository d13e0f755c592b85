/** Tests which CA file a new connection trusts, while the file changes under a running process. */
import { copyFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createConnector } from '../../../src/adapters/http/connector.ts';
import { type ScriptedServer, startScriptedServer, temporaryDir } from './support.ts';

let dir: string;
let before: ScriptedServer;
let after: ScriptedServer;

beforeAll(async () => {
  dir = await temporaryDir();
  [before, after] = await Promise.all([startScriptedServer(() => undefined), startScriptedServer(() => undefined)]);
});
afterAll(async () => {
  await Promise.all([before.close(), after.close()]);
  await rm(dir, { recursive: true, force: true });
});

/** Replaces the file in one step, as a program that renews certificates does. */
async function replaceBy(caFile: string, source: string): Promise<void> {
  await copyFile(source, `${caFile}.new`);
  await rename(`${caFile}.new`, caFile);
}

test('a connection trusts the CA file as it is when the connection opens', async () => {
  const caFile = join(dir, 'ca.pem');
  await copyFile(before.caFile, caFile);
  const connector = createConnector({ mode: 'test', caFile });
  const reaches = async ({ port }: ScriptedServer) => {
    const opened = connector.connect({ host: 'localhost', port, guarded: false });
    return opened.then(
      (socket) => {
        socket.destroy();
        return 'trusted';
      },
      ({ code }: { code: string }) => code,
    );
  };
  expect([await reaches(before), await reaches(after)]).toEqual(['trusted', 'TLS_FAILED']);
  await replaceBy(caFile, after.caFile);
  expect([await reaches(before), await reaches(after)]).toEqual(['TLS_FAILED', 'trusted']);

  // While the file is incomplete or missing, a new connection trusts the previous roots.
  await writeFile(caFile, '-----BEGIN CERT');
  expect(await reaches(after)).toBe('trusted');
  await rm(caFile);
  expect(await reaches(after)).toBe('trusted');
  await replaceBy(caFile, before.caFile);
  expect([await reaches(before), await reaches(after)]).toEqual(['trusted', 'TLS_FAILED']);
  connector.close();
});
