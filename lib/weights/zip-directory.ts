import { quote } from '../quote.js';
import { longestName } from './limits.js';
import type { WeightsFile } from './weights-file.js';

/** What a zip file's central directory says of an entry. */
export interface DirectoryEntry {
  name: string;
  encrypted: boolean;
  compressed: boolean;
  size: number;
  compressedSize: number;
  /** Where the entry's own header begins. */
  headerStart: number;
}

/** The records of the format ("APPNOTE.TXT"), by their signature and the length of what is fixed of them. */
const record = {
  local: { signature: 0x04034b50, length: 30 },
  central: { signature: 0x02014b50, length: 46 },
  end: { signature: 0x06054b50, length: 22 },
  end64Locator: { signature: 0x07064b50, length: 20 },
  end64: { signature: 0x06064b50, length: 56 },
} as const;

const longestComment = 0xffff;
const zip64Field = 1;

/**
 * The entries of a zip file's central directory, zip64 included. A name that leaves the folder it is unpacked into, and
 * anything that points outside of the file, is an error.
 *
 * @throws `ERR_WEIGHTS` where the directory is damaged.
 */
export async function* zipDirectory(file: WeightsFile): AsyncGenerator<DirectoryEntry> {
  const { count, start, end } = await locate(file);
  const bytes = Buffer.from(await within(file, start, end - start));
  for (let i = 0, position = 0; i < count; i++) {
    const head = bytes.subarray(position, position + record.central.length);
    if (head.length < record.central.length || head.readUInt32LE(0) !== record.central.signature) {
      throw damaged(file, `entry ${i} of ${count} is not in its directory`);
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => head.readUInt16LE(at)) as [
      number,
      number,
      number,
    ];
    if (nameLength > longestName) throw damaged(file, `the name of entry ${i} has ${nameLength} bytes`);
    position += record.central.length;
    const rest = bytes.subarray(position, position + nameLength + extraLength + commentLength);
    if (rest.length < nameLength + extraLength + commentLength)
      throw damaged(file, 'its directory is cut off');
    position += rest.length;
    const name = rest.toString('utf8', 0, nameLength);
    checkName(file, name);
    yield { name, ...sizes(file, head, rest.subarray(nameLength, nameLength + extraLength)) };
  }
}

/** Where the bytes of an entry begin: behind its own header, whose name and extra field may have any length. */
export async function dataStart(file: WeightsFile, { name, headerStart }: DirectoryEntry): Promise<number> {
  const head = Buffer.from(await within(file, headerStart, record.local.length));
  if (head.readUInt32LE(0) !== record.local.signature) {
    throw damaged(file, `entry ${quote(name)} has no header at byte ${headerStart}`);
  }
  return headerStart + record.local.length + head.readUInt16LE(26) + head.readUInt16LE(28);
}

async function locate(file: WeightsFile): Promise<{ count: number; start: number; end: number }> {
  const tailStart = Math.max(0, file.size - record.end.length - longestComment);
  const tail = Buffer.from(await file.read(tailStart, file.size - tailStart));
  let at = tail.length - record.end.length;
  // the comment behind it has the length that it says, so that no comment can be taken for it
  while (
    at >= 0 &&
    !(
      tail.readUInt32LE(at) === record.end.signature &&
      tail.readUInt16LE(at + 20) === tail.length - at - record.end.length
    )
  ) {
    at--;
  }
  if (at < 0) throw damaged(file, 'the end of its directory is missing');
  const endStart = tailStart + at;
  const [count, length, start] = [
    tail.readUInt16LE(at + 10),
    tail.readUInt32LE(at + 12),
    tail.readUInt32LE(at + 16),
  ];
  if (count !== 0xffff && length !== 0xffffffff && start !== 0xffffffff) {
    return placed(file, { count, length, start, before: endStart });
  }
  const locator = Buffer.from(
    await within(file, endStart - record.end64Locator.length, record.end64Locator.length),
  );
  if (locator.readUInt32LE(0) !== record.end64Locator.signature) {
    return placed(file, { count, length, start, before: endStart });
  }
  const end64Start = natural(file, locator.readBigUInt64LE(8));
  const end64 = Buffer.from(await within(file, end64Start, record.end64.length));
  if (end64.readUInt32LE(0) !== record.end64.signature) throw damaged(file, 'its zip64 end is missing');
  return placed(file, {
    count: natural(file, end64.readBigUInt64LE(32)),
    length: natural(file, end64.readBigUInt64LE(40)),
    start: natural(file, end64.readBigUInt64LE(48)),
    before: end64Start,
  });
}

function placed(
  file: WeightsFile,
  { count, length, start, before }: { count: number; length: number; start: number; before: number },
): { count: number; start: number; end: number } {
  if (start + length > before || count * record.central.length > length) {
    throw damaged(file, `${count} entries do not fit a directory of ${length} bytes at ${start}`);
  }
  return { count, start, end: start + length };
}

function sizes(file: WeightsFile, head: Buffer, extra: Buffer): Omit<DirectoryEntry, 'name'> {
  const wide = zip64Values(extra);
  const value = (at: number) => {
    const narrow = head.readUInt32LE(at);
    return narrow === 0xffffffff ? natural(file, wide.shift() ?? BigInt(narrow)) : narrow;
  };
  // the extra field has those that do not fit, in this order
  const size = value(24);
  const compressedSize = value(20);
  return {
    encrypted: (head.readUInt16LE(8) & 1) !== 0,
    compressed: head.readUInt16LE(10) !== 0,
    size,
    compressedSize,
    headerStart: value(42),
  };
}

function zip64Values(extra: Buffer): bigint[] {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === zip64Field) {
      const values: bigint[] = [];
      for (at += 4; at + 8 <= Math.min(end, extra.length); at += 8) values.push(extra.readBigUInt64LE(at));
      return values;
    }
    at = end;
  }
  return [];
}

function checkName(file: WeightsFile, name: string): void {
  if (name.includes('\\') || /^([a-zA-Z]:|\/)/.test(name) || name.split('/').includes('..')) {
    throw damaged(
      file,
      `the name ${quote(name)} of an entry leaves the archive: no \\, no root and no '..' are taken`,
    );
  }
}

function natural(file: WeightsFile, value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(file, `it points to byte ${value}`);
  return Number(value);
}

async function within(file: WeightsFile, start: number, length: number): Promise<ArrayBuffer> {
  if (start < 0 || start + length > file.size) {
    throw damaged(file, `it points to byte ${start}, the file has ${file.size}`);
  }
  return file.read(start, length);
}

/** The error of a zip file whose parts do not fit together. */
export function damaged(file: WeightsFile, what: string): Error {
  return file.fault(`is a damaged or truncated zip archive (${what})`);
}
