import { types } from 'node:util';

/** What a message calls a value of the wrong kind: `number`, `null`, `array`; of a promise or a URL what was forgotten. */
export function kindOf(value: unknown): string {
  if (value === null) {
    return 'null';
  }
  if (types.isPromise(value)) {
    return 'Promise: await it';
  }
  try {
    if (value instanceof URL) return 'URL: take fileURLToPath() of it';
    return Array.isArray(value) ? 'array' : typeof value;
  } catch {
    return 'revoked Proxy';
  }
}

/** `Promise`, `Set`, `Float32Array` of an object; of anything else its kind. */
export function classOf(value: unknown): string {
  return kindOf(value) === 'object' ? Object.prototype.toString.call(value).slice(8, -1) : kindOf(value);
}

/** Whether `value` is an object of no class, from whichever `vm` context. */
export function isPlainObject(value: unknown): boolean {
  if (kindOf(value) !== 'object') {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What a message shows of any value: numbers and quoted words, of anything else its kind. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value);
  }
  return typeof value === 'number' ? String(value) : kindOf(value);
}
