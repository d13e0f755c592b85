import { type Failure, inputFailure } from '../errors/failure.ts';
import { CODES } from '../errors/index.ts';

/** `test` answers come from the emulator, `live` answers from Tencent Cloud; the two must never be mixed. */
export const MODES = ['test', 'live'] as const;
export type Mode = (typeof MODES)[number];

/** @param deployed the mode of the deployment. */
export function modeMismatch(given: Mode, deployed: Mode): Failure {
  const message = `the mode is ${given}, and this deployment runs in mode ${deployed}: nothing was uploaded or paid`;
  return inputFailure(CODES.MODE_MISMATCH, 'mode', message);
}
