import { type Fault, messageOf, quote } from './fault.js';

/** What a JSON text holds. Numbers written as integers are bigints, so that none is silently rounded. */
export type JsonValue = string | bigint | number | boolean | null | JsonValue[] | JsonObject;
export type JsonObject = Map<string, JsonValue>;

const maxDepth = 16;
const maxValues = 1_000_000;
const maxStringBytes = 16 * 1024 * 1024;

/**
 * Reads the JSON object that fills `bytes` (space around it aside). Stricter than `JSON.parse`, which hides duplicate
 * keys and rounds integers past 2^53: duplicate keys, a `__proto__` key, invalid UTF-8 and lone surrogates are refused.
 * Yields between values, for a {@link Pacer}.
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

  constructor(
    bytes: Uint8Array,
    private readonly fault: Fault,
  ) {
    this.text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  *value(depth: number): Generator<void, JsonValue, void> {
    if (depth > maxDepth) throw this.fault(`its JSON is nested deeper than ${maxDepth}`);
    if (++this.values > maxValues) throw this.fault(`its JSON holds more than ${maxValues} values`);
    yield;
    switch (this.skipSpace()) {
      case '{':
        return yield* this.object(depth);
      case '[':
        return yield* this.array(depth);
      case '"':
        return this.string();
      default:
        return this.literal();
    }
  }

  end(): void {
    if (this.skipSpace() !== '') throw this.unexpected('the end of the JSON text');
  }

  private *object(depth: number): Generator<void, JsonObject, void> {
    const members: JsonObject = new Map();
    this.take('{');
    if (this.skipSpace() !== '}') {
      for (;;) {
        if (this.skipSpace() !== '"') throw this.unexpected('a key');
        const key = this.string();
        if (key === '__proto__') throw this.fault(`the key "__proto__" is not allowed`);
        if (members.has(key)) throw this.fault(`the key ${quote(key)} stands twice in the same object`);
        this.skipSpace();
        this.take(':');
        members.set(key, yield* this.value(depth + 1));
        if (this.skipSpace() !== ',') break;
        this.take(',');
      }
    }
    this.take('}');
    return members;
  }

  private *array(depth: number): Generator<void, JsonValue[], void> {
    const items: JsonValue[] = [];
    this.take('[');
    if (this.skipSpace() !== ']') {
      for (;;) {
        items.push(yield* this.value(depth + 1));
        if (this.skipSpace() !== ',') break;
        this.take(',');
      }
    }
    this.take(']');
    return items;
  }

  private string(): string {
    this.take('"');
    const start = this.at;
    let escaped = false;
    for (; ; this.at++) {
      const byte = this.text[this.at];
      if (byte === undefined) throw this.fault('its JSON ends inside a string');
      if (byte === 0x22) break;
      if (this.at - start > maxStringBytes)
        throw this.fault(`a string of its JSON is over ${maxStringBytes} bytes`);
      if (byte < 0x20) throw this.unexpected('no control character inside a string');
      if (byte === 0x5c) {
        escaped = true;
        this.at++; // whatever it is, what follows a backslash does not end the string
      }
    }
    const raw = this.text.subarray(start, this.at);
    this.take('"');
    try {
      const decoded = this.utf8.decode(raw);
      const value: string = escaped ? JSON.parse(`"${decoded}"`) : decoded;
      if (/\p{Surrogate}/u.test(value)) throw new Error('a surrogate without its pair');
      return value;
    } catch (error) {
      throw this.fault(`invalid string at byte ${start} of its JSON (${messageOf(error)})`, error);
    }
  }

  private literal(): bigint | number | boolean | null {
    const start = this.at;
    while (/[-+.\w]/.test(this.peek()) && this.at - start < 32) this.at++;
    const token = this.text.toString('latin1', start, this.at);
    if (token === 'true') return true;
    if (token === 'false') return false;
    if (token === 'null') return null;
    if (/^-?(0|[1-9]\d*)$/.test(token)) return BigInt(token);
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/.test(token)) return Number(token);
    this.at = start;
    throw this.unexpected('a value');
  }

  /** The next character that is no space, or '' at the end. */
  private skipSpace(): string {
    for (; ; this.at++) {
      const byte = this.text[this.at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return this.peek();
    }
  }

  private peek(): string {
    const byte = this.text[this.at];
    return byte === undefined ? '' : String.fromCharCode(byte);
  }

  private take(character: string): void {
    if (this.peek() !== character) throw this.unexpected(`'${character}'`);
    this.at++;
  }

  private unexpected(expected: string): Error {
    const found = this.at < this.text.length ? quote(this.peek()) : 'its end';
    return this.fault(`invalid JSON at byte ${this.at}: expected ${expected}, found ${found}`);
  }
}
