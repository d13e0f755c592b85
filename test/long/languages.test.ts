/** Runs the programs of docs/languages.md unchanged against a real API, in each language that is on PATH. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sampleImage, sampleLiveData } from '../../src/emulator/samples.ts';
import { type Http, openHttp } from '../support/http.ts';
import { createRig, type Rig } from '../support/rig.ts';
import { ROOT } from '../support/world.ts';

const SECRET = `whsec_${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

interface Language {
  /** The language tag of the code blocks. */
  readonly mark: string;
  readonly needs: readonly string[];
  readonly run: readonly string[];
  readonly file: string;
}

const LANGUAGES: readonly Language[] = [
  { mark: 'sh', needs: ['sh', 'curl', 'jq'], run: ['sh'], file: 'verify.sh' },
  { mark: 'python', needs: ['python3'], run: ['python3'], file: 'verify.py' },
  { mark: 'go', needs: ['go'], run: ['go', 'run'], file: 'verify.go' },
  { mark: 'java', needs: ['java', 'javac'], run: ['java'], file: 'Verify.java' },
  { mark: 'php', needs: ['php'], run: ['php'], file: 'verify.php' },
];

const runnable = LANGUAGES.filter(({ needs }) => needs.every(isOnPath));
const marks = (languages: readonly Language[]) => languages.map(({ mark }) => mark).join(', ') || 'none';

let rig: Rig;
let http: Http;
let page: string;

beforeAll(async () => {
  page = await readFile(join(ROOT, 'docs', 'languages.md'), 'utf8');
  rig = await createRig({ env: { BESTFRAME_QPS_DETECT: '200' }, emulator: { qps: {} } });
  await rig.openWorker();
  http = await openHttp(rig);
});
afterEach(() => rig.control.clearFaults());
afterAll(async () => {
  await http.close();
  await rig.dispose();
});

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Returns the code blocks of the page in one language, in order. */
function blocks(mark: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${mark}\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);
}

interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly dir: string;
}

async function run(
  { mark, run: [program = '', ...words], file }: Language,
  nth: number,
  args: readonly string[],
  { env, input = '' }: { env: Record<string, string>; input?: string },
): Promise<ProgramResult> {
  const dir = join(rig.dir, 'languages', `${mark}-${nth}-${args[0] ?? env.WEBHOOK_ID}`);
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, file), blocks(mark)[nth] ?? '');
  return new Promise((resolve) => {
    const options = { cwd: dir, env: { ...process.env, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1', ...env } };
    const child = execFile(program, [...words, file, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr, dir }),
    );
    child.stdin?.on('error', () => undefined); // the program may exit before it reads its input
    child.stdin?.end(input);
  });
}

describe(`languages on PATH: ${marks(runnable)}; not on PATH: ${marks(LANGUAGES.filter((each) => !runnable.includes(each)))}`, () => {
  it('each language has its programs on the page', () => {
    for (const { mark } of LANGUAGES) expect(blocks(mark), mark).toHaveLength(mark === 'sh' ? 1 : 2);
  });

  it.each(runnable)('$mark submits two files, branches on next and downloads the frame', async (language) => {
    const env = { API: http.url, KEY: await http.keyFor({ scopes: ['submit', 'frames'] }) };
    const sent = async (card: string, key = `${language.mark}-${card}`) => {
      const files = [
        await rig.file(`${key}.gz`, sampleLiveData({ card, nonce: key })),
        await rig.file(`${key}.jpg`, sampleImage(key)),
      ];
      return run(language, 0, [key, ...files], { env });
    };
    const accepted = await sent('match');
    expect(accepted).toMatchObject({ code: 0, stdout: 'accept: let them in\n', stderr: '' });
    const id = rig.client.forTenant('acme').idOf(`${language.mark}-match`);
    const picture = await http.call('GET', `/v1/verifications/${id}/best-frame`);
    expect(await readFile(join(accepted.dir, 'frame.jpg'))).toEqual(picture.bytes);
    expect(await sent('spoof')).toMatchObject({ code: 0, stdout: 'refuse\n' });
    const failed = await sent('match', 'no spaces, please');
    expect(failed).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^INVALID_VERIFICATION: key has/),
    });
  });

  it.each(runnable.filter(({ mark }) => mark !== 'sh'))('$mark verifies webhook signatures', async (language) => {
    const body = '{"type":"verification.decided","data":{"key":"größer"}}';
    const now = new Date();
    const old = new Date(now.getTime() - 301_000);
    const other = `whsec_${Buffer.from('another').toString('base64')}`;
    const sign = (secret: string, at: Date) => new Webhook(secret).sign('id', at, body);
    const mine = sign(SECRET, now);
    const cases: [string, string, Date, string, boolean][] = [
      ['ours', mine, now, body, true],
      ['rotated', `${sign(other, now)} ${mine}`, now, body, true],
      ['other', sign(other, now), now, body, false],
      ['changed', mine, now, body.replace('größer', 'größe'), false],
      ['old', sign(SECRET, old), old, body, false],
      ['none', '', now, body, false],
    ];
    for (const [name, signature, at, input, ours] of cases) {
      const env = {
        WEBHOOK_SECRET: SECRET,
        WEBHOOK_ID: 'id',
        WEBHOOK_TIMESTAMP: String(Math.floor(at.getTime() / 1000)),
        WEBHOOK_SIGNATURE: signature,
      };
      const { code, stderr } = await run(language, 1, [], { env, input });
      expect({ name, code: code === 0 }, stderr).toEqual({ name, code: ours });
    }
  });
});
