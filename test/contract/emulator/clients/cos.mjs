/** Runs the unmodified `cos-nodejs-sdk-v5`. argv[2] is the proxy; NODE_EXTRA_CA_CERTS is the file of the CA. */
import COS from 'cos-nodejs-sdk-v5';
import { serveJobs } from './serve.mjs';

serveJobs(({ credential, options, method, parameters }) => {
  const { secretId, secretKey, token } = credential;
  const cos = new COS({
    SecretId: secretId,
    SecretKey: secretKey,
    ...(token === undefined ? {} : { SecurityToken: token }),
    Proxy: process.argv[2],
    Protocol: 'https:',
    ...options,
  });
  // Use callbacks: `getObjectUrl` does not return a promise.
  return new Promise((resolve, reject) => {
    cos[method](parameters, (error, data) => (error ? reject(error) : resolve(data)));
  });
});
