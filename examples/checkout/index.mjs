/** Stands in for the installed package `bestframe-client`. */
export * from '../../dist/src/index.js';
