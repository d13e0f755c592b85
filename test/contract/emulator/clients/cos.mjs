/** `cos-nodejs-sdk-v5` as it comes. Its proxy is argv[2]; the CA is in NODE_EXTRA_CA_CERTS. */
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
  // The callback form: `getObjectUrl` has no other.
  return new Promise((resolve, reject) => {
    cos[method](parameters, (error, data) => (error ? reject(error) : resolve(data)));
  });
});
