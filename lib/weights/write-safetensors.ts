import type { WeightEntry } from '../dtype.js';
import { messageOf } from '../errors.js';
import { quote } from '../quote.js';
import { WholeFile } from '../whole-file.js';
import { type Fault, faultOf } from './fault.js';
import { Pacer } from './pacer.js';
import { maxHeaderBytes, parseHeader } from './safetensors.js';
import { entryFault, type StoredType, storedTypes } from './stored-dtypes.js';

/** What a safetensors file says of itself. */
export interface SafetensorsOptions {
  /** The file's `__metadata__`; `{format: 'pt'}`, which PyTorch's loaders look for, where it is left out. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

interface Placed {
  name: string;
  type: StoredType;
  entry: WeightEntry;
}

/**
 * Writes entries as a safetensors file, which appears at `path` whole or not at all.
 *
 * @param entries - name to `{dtype, shape, data}`, elements in C order; not changed, and not to be changed meanwhile.
 * @throws `ERR_WEIGHTS` where a name, dtype, shape and data do not fit together or the file cannot be written.
 */
export async function writeSafetensors(
  path: string,
  entries: ReadonlyMap<string, WeightEntry>,
  options: SafetensorsOptions = {},
): Promise<void> {
  const fault = faultOf(path);
  const placed = [...entries].map(([name, entry]) => place(name, entry, fault));
  // Widest elements first: together with a header padded to 8 bytes this aligns every tensor in the file.
  placed.sort((a, b) => b.type.bytes - a.type.bytes || (a.name < b.name ? -1 : 1));
  const bytes = placed.map(({ entry }) => entry.data.byteLength);
  const header = encodeHeader(placed, options.metadata ?? { format: 'pt' }, fault);
  // what is written can be read
  const dataBytes = bytes.reduce((sum, each) => sum + each, 0);
  await new Pacer().run(parseHeader(header.subarray(8), dataBytes, fault));

  try {
    await using file = await WholeFile.create(path);
    await file.append(header);
    for (const [i, { name, entry }] of placed.entries()) {
      const { buffer, byteOffset, byteLength } = entry.data;
      if (byteLength !== bytes[i]) {
        throw new Error(`the data of ${quote(name)} became ${byteLength} bytes meanwhile, from ${bytes[i]}`);
      }
      await file.append(new Uint8Array(buffer, byteOffset, byteLength));
    }
    await file.finish();
  } catch (error) {
    throw fault(
      `cannot be written (${messageOf(error)}); check the folder, its permissions and its free space`,
      error,
    );
  }
}

function place(name: string, entry: WeightEntry, fault: Fault): Placed {
  const wrong = (message: string) => fault(`tensor ${quote(name)}: ${message}`);
  if (name === '__metadata__') throw wrong('this name is not allowed in safetensors files');
  if (/\p{Surrogate}/u.test(name)) throw wrong('its name is not valid Unicode');

  const misfit = entryFault(entry);
  if (misfit) throw wrong(misfit);
  return { name, type: storedTypes.find(({ dtype }) => dtype === entry.dtype)!, entry };
}

function encodeHeader(placed: Placed[], metadata: Readonly<Record<string, string>>, fault: Fault): Buffer {
  let position = 0;
  const members = [`"__metadata__":${JSON.stringify(metadata)}`];
  for (const { name, type, entry } of placed) {
    const end = position + entry.data.byteLength;
    const info = { dtype: type.safetensors, shape: entry.shape, data_offsets: [position, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    position = end;
  }
  const json = Buffer.from(`{${members.join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes)
    throw fault(`its header would have ${length} bytes; the format allows ${maxHeaderBytes}`);
  const header = Buffer.alloc(8 + length, ' ');
  header.writeBigUInt64LE(BigInt(length));
  json.copy(header, 8);
  return header;
}
