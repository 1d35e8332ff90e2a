import { messageOf } from '../errors.js';
import { printable, quote } from '../quote.js';
import type { Fault } from './fault.js';
import { longestName } from './limits.js';

/** What a JSON text holds. Numbers written as integers are bigints, so that none is silently rounded. */
export type JsonValue = string | bigint | number | boolean | null | JsonValue[] | JsonObject;
export type JsonObject = Map<string, JsonValue>;

const maxDepth = 16;
const maxValues = 1_000_000;
const maxStringBytes = 4 * 1024 * 1024;
const maxSpace = 1024 * 1024;
const longestLiteral = 32;

/** Values, and bytes, read between two turns of the event loop, if it wants one. */
const valuesPerStep = 256;
const bytesPerStep = 64 * 1024;

const byte = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openArray: 0x5b,
  backslash: 0x5c,
  closeArray: 0x5d,
  openObject: 0x7b,
  closeObject: 0x7d,
};

/**
 * Reads the JSON object that fills `bytes` (space around it aside). Stricter than `JSON.parse`, which hides duplicate
 * keys and rounds integers past 2^53: duplicate keys, a `__proto__` key, invalid UTF-8 and lone surrogates are refused.
 * Yields every few values, for a {@link Pacer}.
 */
export function* parseJsonObject(bytes: Uint8Array, fault: Fault): Generator<void, JsonObject, void> {
  const scanner = new JsonScanner(bytes, fault);
  const value = yield* scanner.value(0);
  scanner.end();
  if (!(value instanceof Map)) throw fault('its JSON is not an object');
  return value;
}

class JsonScanner {
  private readonly text: Buffer;
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private at = 0;
  private values = 0;
  /** Where it yielded last. */
  private rested = 0;

  constructor(
    bytes: Uint8Array,
    private readonly fault: Fault,
  ) {
    this.text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  *value(depth: number): Generator<void, JsonValue, void> {
    if (depth > maxDepth) throw this.fault(`its JSON is nested deeper than ${maxDepth}`);
    if (++this.values % valuesPerStep === 0 || this.at - this.rested > bytesPerStep) {
      this.rested = this.at;
      yield;
    }
    if (this.values > maxValues) throw this.fault(`its JSON holds more than ${maxValues} values`);
    switch (this.skipSpace()) {
      case byte.openObject:
        return yield* this.object(depth);
      case byte.openArray:
        return yield* this.array(depth);
      case byte.quote:
        return this.string();
      default:
        return this.literal();
    }
  }

  end(): void {
    if (this.skipSpace() !== undefined) throw this.unexpected('the end of the JSON text');
  }

  private *object(depth: number): Generator<void, JsonObject, void> {
    const members: JsonObject = new Map();
    this.take(byte.openObject);
    if (this.skipSpace() !== byte.closeObject) {
      for (;;) {
        if (this.skipSpace() !== byte.quote) throw this.unexpected('a key');
        const key = this.string();
        if (key.length > longestName) throw this.fault(`a key of its JSON is over ${longestName} characters`);
        if (key === '__proto__') throw this.fault(`the key "__proto__" is not allowed`);
        if (members.has(key)) throw this.fault(`the key ${quote(key)} stands twice in the same object`);
        this.skipSpace();
        this.take(byte.colon);
        members.set(key, yield* this.value(depth + 1));
        if (this.skipSpace() !== byte.comma) break;
        this.take(byte.comma);
      }
    }
    this.take(byte.closeObject);
    return members;
  }

  private *array(depth: number): Generator<void, JsonValue[], void> {
    const items: JsonValue[] = [];
    this.take(byte.openArray);
    if (this.skipSpace() !== byte.closeArray) {
      for (;;) {
        items.push(yield* this.value(depth + 1));
        if (this.skipSpace() !== byte.comma) break;
        this.take(byte.comma);
      }
    }
    this.take(byte.closeArray);
    return items;
  }

  private string(): string {
    this.take(byte.quote);
    const start = this.at;
    let plain = true; // ASCII without escapes
    for (; ; this.at++) {
      const found = this.text[this.at];
      if (found === undefined) throw this.fault('its JSON ends inside a string');
      if (found === byte.quote) break;
      if (this.at - start > maxStringBytes)
        throw this.fault(`a string of its JSON is over ${maxStringBytes} bytes`);
      if (found < 0x20) throw this.unexpected('no control character inside a string');
      if (found >= 0x80) plain = false;
      if (found === byte.backslash) {
        plain = false;
        this.at++; // whatever it is, what follows a backslash does not end the string
      }
    }
    const value = plain ? this.text.toString('latin1', start, this.at) : this.decoded(start, this.at);
    this.take(byte.quote);
    return value;
  }

  private decoded(start: number, end: number): string {
    try {
      const value: string = JSON.parse(`"${this.utf8.decode(this.text.subarray(start, end))}"`);
      if (/\p{Surrogate}/u.test(value)) throw new Error('a surrogate without its pair');
      return value;
    } catch (error) {
      throw this.fault(`invalid string at byte ${start} of its JSON (${printable(messageOf(error))})`, error);
    }
  }

  private literal(): bigint | number | boolean | null {
    const start = this.at;
    let end = start;
    while (end - start < longestLiteral && isInLiteral(this.text[end])) end++;
    const token = this.text.toString('latin1', start, end);
    this.at = end;
    if (/^-?(0|[1-9]\d*)$/.test(token)) return BigInt(token);
    if (token === 'true') return true;
    if (token === 'false') return false;
    if (token === 'null') return null;
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(token)) return Number(token);
    this.at = start;
    throw this.unexpected('a value');
  }

  /** The next byte that is no space, or undefined at the end. */
  private skipSpace(): number | undefined {
    for (const start = this.at; ; this.at++) {
      const found = this.text[this.at];
      if (this.at - start > maxSpace)
        throw this.fault(`its JSON has over ${maxSpace} bytes of space in one place`);
      if (found !== 0x20 && found !== 0x0a && found !== 0x0d && found !== 0x09) return found;
    }
  }

  private take(wanted: number): void {
    if (this.text[this.at] !== wanted) throw this.unexpected(`'${String.fromCharCode(wanted)}'`);
    this.at++;
  }

  private unexpected(expected: string): Error {
    const found = this.text[this.at];
    const what = found === undefined ? 'its end' : quote(String.fromCharCode(found));
    return this.fault(`invalid JSON at byte ${this.at}: expected ${expected}, found ${what}`);
  }
}

/** Those that words and numbers are made of. */
function isInLiteral(found: number | undefined): boolean {
  return found !== undefined && /[-+.\w]/.test(String.fromCharCode(found));
}
