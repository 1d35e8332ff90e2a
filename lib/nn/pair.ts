import { CudnnResnetError, type ErrorCode } from '../errors.js';
import { checkInteger } from '../integer.js';
import type { Pair } from '../ops.js';

/** Height and width, or an error where they are no whole numbers of at least `least`. */
export function pair(
  what: string,
  value: Pair,
  least?: number,
  code: ErrorCode = 'ERR_ARGUMENT',
): readonly [number, number] {
  const [height, width, ...rest] = (Array.isArray(value) ? value : [value, value]) as number[];
  if (rest.length > 0) {
    throw new CudnnResnetError(
      code,
      `${what} must be a number or [height, width], got ${2 + rest.length} values`,
    );
  }
  return Object.freeze([
    checkInteger(what, height!, least, code),
    checkInteger(what, width!, least, code),
  ] as const);
}

/** As {@link pair}, but a number stays one, as texts show it. */
export function pairOrNumber(what: string, value: Pair, least?: number): Pair {
  const checked = pair(what, value, least);
  return typeof value === 'number' ? value : checked;
}
