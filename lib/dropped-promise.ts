import { types } from 'node:util';

/** Of a promise that was given where none can be: what it rejects with would end the process after the error that says so. */
export function dropPromise(value: unknown): void {
  if (types.isPromise(value)) value.catch(() => undefined);
}
