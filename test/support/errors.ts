import { expect } from 'vitest';
import { CudnnResnetError, type ErrorCode } from '../../lib/index.js';

/** Expects a typed error at once: thrown by the call itself, not by a promise. */
export function expectThrows(code: ErrorCode, call: () => unknown, message: RegExp = /./): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expectCode(code, thrown, message);
}

/** Expects a promise to reject with a typed error. */
export async function expectRejects(
  code: ErrorCode,
  promise: Promise<unknown>,
  message: RegExp = /./,
): Promise<void> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expectCode(code, thrown, message);
}

function expectCode(code: ErrorCode, thrown: unknown, message: RegExp): void {
  if (!(thrown instanceof CudnnResnetError)) {
    expect.fail(`expected a CudnnResnetError with ${code}, got ${String(thrown)}`);
  }
  expect({ name: thrown.name, code: thrown.code, message: thrown.message }).toEqual({
    name: 'CudnnResnetError',
    code,
    message: expect.stringMatching(message),
  });
}
