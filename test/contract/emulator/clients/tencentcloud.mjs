/** Runs the unmodified `tencentcloud-sdk-nodejs`. argv[2] is the proxy; NODE_EXTRA_CA_CERTS is the file of the CA. */
import { HttpsProxyAgent } from 'hpagent';
import commonClient from 'tencentcloud-sdk-nodejs/tencentcloud/common/common_client.js';
import { serveJobs } from './serve.mjs';

const agent = new HttpsProxyAgent({ proxy: process.argv[2], keepAlive: true });

serveJobs(
  ({ endpoint, version, region, credential, signMethod, httpProfile, language = 'en-US', action, parameters }) => {
    const profile = { language, signMethod, httpProfile: { ...httpProfile, agent } };
    return new commonClient.CommonClient(endpoint, version, { credential, region, profile }).request(
      action,
      parameters,
    );
  },
);
