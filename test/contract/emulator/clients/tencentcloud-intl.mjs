/**
 * Runs the unmodified `tencentcloud-sdk-nodejs-intl-en` with its FaceID client, which signs with HmacSHA256 by default.
 * The SDK takes its proxy from `http_proxy`.
 */
import { createRequire } from 'node:module';
import { serveJobs } from './serve.mjs';

// Load single files, because the package's index would load the clients of all products.
const load = createRequire(import.meta.url);
const Client = load('tencentcloud-sdk-nodejs-intl-en/tencentcloud/faceid/v20180301/faceid_client.js');
const models = load('tencentcloud-sdk-nodejs-intl-en/tencentcloud/faceid/v20180301/models.js');
const ClientProfile = load('tencentcloud-sdk-nodejs-intl-en/tencentcloud/common/profile/client_profile.js');
const Credential = load('tencentcloud-sdk-nodejs-intl-en/tencentcloud/common/credential.js');

serveJobs(({ credential, region, signMethod, action, parameters }) => {
  const { secretId, secretKey, token } = credential;
  const client = new Client(new Credential(secretId, secretKey, token), region, new ClientProfile(signMethod));
  const request = new models[`${action}Request`]();
  request.from_json_string(JSON.stringify(parameters));
  return new Promise((resolve, reject) => {
    client[action](request, (error, response) =>
      error ? reject(error) : resolve(JSON.parse(response.to_json_string())),
    );
  });
});
