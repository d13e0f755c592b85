/** The module of the COS SDK that signs. The SDK has types only for its main module. */
declare module 'cos-nodejs-sdk-v5/sdk/util.js' {
  import type COS from 'cos-nodejs-sdk-v5';

  const util: { readonly getAuth: typeof COS.getAuthorization };
  export default util;
}
