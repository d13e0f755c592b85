/** Calls each action of the emulator through the typed client for Node, with a recording that matches the photo. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ProxyAgent, request } from 'undici';

const load = createRequire(import.meta.url);
const sdk = 'tencentcloud-sdk-nodejs-intl-en/tencentcloud';
const Client = load(`${sdk}/faceid/v20180301/faceid_client.js`);
const models = load(`${sdk}/faceid/v20180301/models.js`);
const ClientProfile = load(`${sdk}/common/profile/client_profile.js`);
const Credential = load(`${sdk}/common/credential.js`);

const { SECRET_ID, SECRET_KEY, SAMPLES, https_proxy: proxy } = process.env;
const client = new Client(new Credential(SECRET_ID, SECRET_KEY), 'ap-singapore', new ClientProfile());
const dispatcher = new ProxyAgent(proxy);

/** For each action, the inputs (name and file extension of each sample) and the other parameters. */
const ACTIONS = {
  CreateUploadUrl: [{}, { TargetAction: 'DetectReflectLivenessAndCompare' }],
  GenerateReflectSequence: [{ DeviceData: 'txt' }, { SecurityLevel: '1' }],
  DetectReflectLivenessAndCompare: [{ LiveData: 'gz', Image: 'jpg' }, {}],
  VideoLivenessCompare: [{ Video: 'mp4', Image: 'jpg' }, { LivenessType: 'SILENT' }],
};

for (const [action, [inputs, parameters]] of Object.entries(ACTIONS)) {
  const verdict = client[action] === undefined ? { outcome: 'left out' } : await judge(action, inputs, parameters);
  process.stdout.write(`\nRESULT ${JSON.stringify({ name: action, ...verdict })}\n`);
}
await dispatcher.close();

async function judge(action, inputs, parameters) {
  try {
    const asked = { ...parameters };
    for (const [name, ending] of Object.entries(inputs)) Object.assign(asked, await upload(action, name, ending));
    const reply = await call(action, asked);
    const empty = Object.keys(reply).filter((field) => reply[field] === null || reply[field] === undefined);
    if (empty.length > 0) return { outcome: 'failed', message: `the reply lacks ${empty.join(', ')}` };
    return { outcome: 'passed' };
  } catch (error) {
    return { outcome: 'failed', message: String(error?.message ?? error) };
  }
}

/** Uploads a sample through a link of CreateUploadUrl. @returns the parameters that refer to the upload. */
async function upload(action, name, ending) {
  const body = readFileSync(join(SAMPLES, `match.${ending}`));
  const { UploadUrl, ResourceUrl } = await call('CreateUploadUrl', { TargetAction: action });
  const { statusCode } = await request(UploadUrl, { method: 'PUT', body, dispatcher });
  if (statusCode !== 200) throw new Error(`the upload was answered with ${statusCode}`);
  return { [`${name}Url`]: ResourceUrl, [`${name}Md5`]: createHash('md5').update(body).digest('hex') };
}

function call(action, parameters) {
  const asked = new models[`${action}Request`]();
  asked.from_json_string(JSON.stringify(parameters));
  return new Promise((resolve, reject) => {
    client[action](asked, (error, response) => (error ? reject(error) : resolve(response)));
  });
}
