import { CudnnResnetError } from './errors.js';
import { shown } from './kind-of.js';

/** `value`, or an error where it is neither true nor false. */
export function checkBoolean(what: string, value: boolean): boolean {
  if (typeof value !== 'boolean') {
    throw new CudnnResnetError('ERR_ARGUMENT', `${what} must be true or false, got ${shown(value)}`);
  }
  return value;
}
