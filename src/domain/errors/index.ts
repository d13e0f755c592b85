/** The error table: what each code means, its class, and what to do about it. */
export { type Billed, documentedBilling, type SubProduct } from './billing.ts';
export { type Classified, classify, ERROR_TABLE, explain, failureCode } from './classify.ts';
export { CODES } from './codes.ts';
export { COS_CODES_ABOUT_KEYS } from './cos.ts';
export {
  AUDIENCES,
  type Audience,
  ERROR_CLASSES,
  type ErrorClass,
  type ErrorEntry,
  type Language,
  RETAKES,
  type Retake,
  type Words,
} from './entry.ts';
