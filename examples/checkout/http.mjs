/** Stands in for the entry `bestframe-client/http` of the installed package. */
export * from '../../dist/src/client/http/index.js';
