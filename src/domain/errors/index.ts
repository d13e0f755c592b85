/** The error table: data in, class and words out. */
export { type Classified, classify, ERROR_TABLE, explain, nameOf } from './classify.ts';
export { CODES } from './codes.ts';
export { ERROR_CLASSES, type ErrorClass, type ErrorEntry } from './entry.ts';
