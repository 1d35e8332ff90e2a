import { messageOf } from '../errors.js';
import { quote } from '../quote.js';
import type { Fault } from './fault.js';
import { opcodes } from './pickle-opcodes.js';

/** A global that the pickle names, such as `torch.FloatStorage`. Only its name: nothing is ever looked up. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/** A call that Python would make while unpickling. It is written down here, not made. */
export class PickleCall {
  constructor(
    readonly callee: string,
    readonly args: readonly PickleValue[],
  ) {}
}

/** An object that the pickle leaves to its reader to find: for PyTorch, a storage. */
export class PickleReference {
  constructor(readonly id: PickleValue) {}
}

/** Lists and tuples are arrays, dicts and ordered dicts are maps. Any of them may contain itself. */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleCall
  | PickleReference;

// Every value, stack slot and memo entry costs an opcode, so the limit on opcodes bounds them all.
const maxOpcodes = 1_000_000;
const maxMarks = 1_000;
const maxStringBytes = 1024 * 1024;
const maxGlobalBytes = 256;

/** Python writes a thousand keys and values at once; they are hashed in one step. */
const maxItems = 2 * 10_000;
const maxKeyLength = 1024;

/** Bytes read between two turns of the event loop, if it wants one. */
const bytesPerStep = 64 * 1024;

/**
 * Interprets a pickle symbolically: calls are recorded as {@link PickleCall}, never made, and no class is ever
 * instantiated, so that the worst that a hostile pickle can say is refused or is only data. An unknown opcode, a
 * global that is not in `allowedGlobals` and anything that would break the stack machine are refused by name.
 * Yields between opcodes, for a {@link Pacer}.
 */
export function* interpretPickle(
  bytes: Uint8Array,
  allowedGlobals: ReadonlySet<string>,
  fault: Fault,
): Generator<void, PickleValue, void> {
  const machine = new PickleMachine(bytes, allowedGlobals, fault);
  let rested = 0;
  for (let count = 1; !machine.step(); count++) {
    if (count >= maxOpcodes) throw fault(`its pickle has more than ${maxOpcodes} opcodes`);
    if (count % 256 === 0 || machine.position - rested > bytesPerStep) {
      rested = machine.position;
      yield;
    }
  }
  return machine.result();
}

/** What the functions of the opcodes work on: a stack, marks in it, and a memo. */
export class PickleMachine {
  private readonly view: DataView;
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private readonly stack: PickleValue[] = [];
  /** Heights of the stack at the marks that are still open. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private at = 0;
  private stopped = false;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly allowedGlobals: ReadonlySet<string>,
    private readonly fault: Fault,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.at;
  }

  /** Runs one opcode; true where it was the last. */
  step(): boolean {
    const opcode = this.uint8();
    const { name, run } = opcodes.get(opcode) ?? { name: `0x${opcode.toString(16).padStart(2, '0')}` };
    if (!run) throw this.wrong(`uses opcode ${name}, which state dicts do not need`);
    run(this);
    return this.stopped;
  }

  /** What stands on the stack after the last opcode. */
  result(): PickleValue {
    if (this.stack.length !== 1 || this.marks.length > 0) throw this.wrong('does not end with one value');
    return this.stack[0]!;
  }

  checkProtocol(): void {
    const protocol = this.uint8();
    if (protocol !== 2) {
      throw this.fault(
        `its pickle has protocol ${protocol}, expected 2; save it with torch.save without a pickle_protocol argument`,
      );
    }
  }

  stop(): void {
    this.stopped = true;
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  mark(): void {
    if (this.marks.length >= maxMarks) throw this.wrong(`is nested deeper than ${maxMarks}`);
    this.marks.push(this.stack.length);
  }

  remember(key: number): void {
    this.memo.set(key, this.top());
  }

  refer(): void {
    this.push(new PickleReference(this.pop(1)[0]!));
  }

  /** Takes the state of an OrderedDict away: attributes such as _metadata, which hold no tensors. */
  build(): void {
    this.pop(1);
    if (!(this.top() instanceof Map)) throw this.wrong('sets attributes of something that is no dict');
  }

  reduce(): void {
    const [callee, args] = this.pop(2);
    if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) {
      throw this.wrong('calls something that is no global, or with something that is no tuple');
    }
    if (callee.name !== 'collections.OrderedDict') {
      this.stack.push(new PickleCall(callee.name, args));
    } else if (args.length === 0) {
      this.stack.push(new Map());
    } else {
      throw this.wrong('calls collections.OrderedDict with arguments');
    }
  }

  global(): PickleGlobal {
    const name = `${this.line()}.${this.line()}`;
    if (!this.allowedGlobals.has(name)) {
      throw this.fault(
        `its pickle needs ${quote(name)}; only dense tensors of the usual dtypes, dicts, lists, numbers and strings ` +
          'are read, and nothing is run: save model.state_dict() instead of the whole model',
      );
    }
    return new PickleGlobal(name);
  }

  append(items: PickleValue[]): void {
    const list = this.top();
    if (!Array.isArray(list)) throw this.wrong('appends to something that is no list');
    for (const item of items) list.push(item);
  }

  setItems(items: PickleValue[]): void {
    const dict = this.top();
    if (!(dict instanceof Map)) throw this.wrong('sets items of something that is no dict');
    if (items.length > maxItems) throw this.wrong(`sets ${items.length / 2} items at once`);
    if (items.length % 2 !== 0) throw this.wrong('sets a key without a value');
    if (items.some((item, i) => i % 2 === 0 && typeof item === 'string' && item.length > maxKeyLength))
      throw this.wrong(`has a key of over ${maxKeyLength} characters`);
    for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  }

  /** The lowest height down to which values may be popped: a mark protects what is under it. */
  private floor(): number {
    return this.marks.at(-1) ?? 0;
  }

  pop(count: number): PickleValue[] {
    if (this.stack.length - count < this.floor()) throw this.wrong('takes more from its stack than there is');
    return this.stack.splice(this.stack.length - count);
  }

  popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.wrong('goes back to a mark that it did not set');
    return this.stack.splice(mark);
  }

  private top(): PickleValue {
    if (this.stack.length <= this.floor()) throw this.wrong('takes more from its stack than there is');
    return this.stack.at(-1)!;
  }

  recall(key: number): PickleValue {
    const value = this.memo.get(key);
    if (value === undefined) throw this.wrong(`recalls memo ${key}, which it did not set`);
    return value;
  }

  /** Little-endian two's complement of any length, rounded as a number is. */
  long(length: number): number {
    const start = this.skip(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.bytes[start + i]!);
    return Number(BigInt.asIntN(8 * length, value));
  }

  unicode(length: number): string {
    if (length > maxStringBytes) throw this.wrong(`has a string of ${length} bytes, over ${maxStringBytes}`);
    const start = this.skip(length);
    try {
      return this.utf8.decode(this.bytes.subarray(start, start + length));
    } catch (error) {
      throw this.fault(`its pickle has an invalid string at byte ${start} (${messageOf(error)})`, error);
    }
  }

  private line(): string {
    const end = this.bytes.subarray(this.at, this.at + maxGlobalBytes).indexOf(0x0a);
    if (end < 0) throw this.wrong('names a global without an end');
    const text = this.unicode(end);
    this.skip(1);
    return text;
  }

  uint8(): number {
    return this.view.getUint8(this.skip(1));
  }

  uint16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  float64(): number {
    return this.view.getFloat64(this.skip(8), false);
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  /** Moves on by `length` bytes and returns where they begin. */
  private skip(length: number): number {
    const start = this.at;
    if (start + length > this.bytes.length)
      throw this.fault('its pickle ends too early; is the file truncated?');
    this.at += length;
    return start;
  }

  private wrong(what: string): Error {
    return this.fault(`its pickle ${what} (before byte ${this.at})`);
  }
}
