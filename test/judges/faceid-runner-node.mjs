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

const { SECRET_ID, SECRET_KEY, SAMPLES, CONTROL, EMPTY, https_proxy: proxy } = process.env;
const client = new Client(new Credential(SECRET_ID, SECRET_KEY), 'ap-singapore', new ClientProfile());
const dispatcher = new ProxyAgent(proxy);

/** For each action, the inputs (name and file extension of each sample) and the other parameters. */
const ACTIONS = {
  CreateUploadUrl: [{}, { TargetAction: 'DetectReflectLivenessAndCompare' }],
  GenerateReflectSequence: [{ DeviceData: 'txt' }, { SecurityLevel: '1' }],
  DetectReflectLivenessAndCompare: [{ LiveData: 'gz', Image: 'jpg' }, {}],
  VideoLivenessCompare: [{ Video: 'mp4', Image: 'jpg' }, { LivenessType: 'SILENT' }],
};

const DIRECT = JSON.parse(readFileSync(join(SAMPLES, 'direct.json'), 'utf8'));

for (const [action, [inputs, parameters]] of Object.entries(ACTIONS)) {
  await report(action, async () => {
    const asked = { ...parameters };
    for (const [name, ending] of Object.entries(inputs)) Object.assign(asked, await upload(action, name, ending));
    return [await call(action, asked)];
  });
}
for (const { start, result, token, sessions } of DIRECT) {
  const started = [];
  await report(start, async () => {
    for (const { parameters } of sessions) started.push(await call(start, parameters));
    return started;
  });
  if (result === undefined) continue;
  await report(result, async () => {
    const replies = [];
    for (const [index, { cards }] of sessions.entries()) {
      await play(started[index][token], cards);
      replies.push(await call(result, { [token]: started[index][token] }));
    }
    return replies;
  });
}
await dispatcher.close();

/** Prints the verdict on the replies to an action. */
async function report(action, perform) {
  let verdict = { outcome: 'left out' };
  if (client[action] !== undefined) {
    try {
      const missing = missingFields(await perform());
      const message = `no reply has ${missing.join(', ')}`;
      verdict = missing.length > 0 ? { outcome: 'failed', message } : { outcome: 'passed' };
    } catch (error) {
      verdict = { outcome: 'failed', message: String(error?.message ?? error) };
    }
  }
  process.stdout.write(`\nRESULT ${JSON.stringify({ name: action, ...verdict })}\n`);
}

/** The fields that are empty in every reply, and in every object of an array. */
function missingFields(replies) {
  const empty = new Set();
  const filled = new Set();
  const read = (model, prefix) => {
    for (const [name, value] of Object.entries(model)) {
      const path = `${prefix}${name}`;
      if (value === null || value === undefined) {
        empty.add(path);
        continue;
      }
      filled.add(path);
      const items = Array.isArray(value) ? value : [value];
      for (const item of items) if (typeof item === 'object' && item !== null) read(item, `${path}.`);
    }
  };
  for (const reply of replies) read(reply, '');
  return [...empty].filter((path) => !filled.has(path) && !new RegExp(EMPTY).test(path));
}

/** Makes attempts in a session. The last one ends it. */
async function play(token, cards) {
  for (const [index, card] of cards.entries()) {
    const step = index === cards.length - 1 ? 'finish' : 'try';
    const body = JSON.stringify({ token, step, card });
    const { status } = await fetch(`${CONTROL}/sessions/play`, { method: 'POST', body });
    if (status !== 200) throw new Error(`the session was answered with ${status}`);
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
