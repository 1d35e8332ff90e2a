import { isHostDType } from '../dtype.js';
import { quote } from '../quote.js';
import { shapeText } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Fault } from './fault.js';
import { maxDimensions, maxTensors } from './limits.js';
import { elementCount, type StoredType, storedTypes } from './stored-dtypes.js';
import type { StoredEntry } from './stored-entry.js';
import { type JsonValue, parseJsonObject } from './strict-json.js';
import type { WeightsFile } from './weights-file.js';

/** The longest header that the format allows. */
export const maxHeaderBytes = 100_000_000;

interface TensorInfo {
  name: string;
  type: StoredType;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * The entries of a safetensors file: eight bytes of header length, a JSON header, then the tensors' bytes without gaps.
 *
 * @param use - gives the file when elements are read; `file` itself, where it is left out, which must be open then.
 * @throws `ERR_WEIGHTS` that names the file and the tensor where anything does not fit the format; nothing of a file
 *   is believed before it is checked, so that a hostile one costs no more memory than its size.
 */
export async function safetensorsEntries(
  file: WeightsFile,
  use: <T>(work: (opened: WeightsFile) => Promise<T>) => Promise<T> = (work) => work(file),
): Promise<Map<string, StoredEntry>> {
  const { tensors, dataStart } = await readHeader(file);
  return new Map(
    tensors.map(({ name, type, shape, begin, end }) => {
      const { dtype } = type;
      const position = dataStart + begin;
      const bytes = end - begin;
      const read = () => use(async (opened) => new type.Array(await opened.read(position, bytes)));
      const fill = isHostDType(dtype)
        ? (tensor: Tensor) => use((opened) => opened.fill(tensor, position, dtype))
        : undefined;
      return [name, { dtype, shape, bytes, read, fill }];
    }),
  );
}

async function readHeader(file: WeightsFile): Promise<{ tensors: TensorInfo[]; dataStart: number }> {
  const { fault, pacer } = file;
  if (file.size < 8) throw fault(`a safetensors file has at least 8 bytes, this one has ${file.size}`);
  const length = new DataView(await file.read(0, 8)).getBigUint64(0, true);
  if (length === 0n) throw fault('its safetensors header has length 0');
  if (length > maxHeaderBytes) {
    throw fault(`its safetensors header would have ${length} bytes; the format allows ${maxHeaderBytes}`);
  }
  const dataStart = 8 + Number(length);
  if (dataStart > file.size) {
    throw fault(
      `its safetensors header ends at byte ${dataStart}, the file at ${file.size}; is it truncated?`,
    );
  }
  const json = new Uint8Array(await file.read(8, Number(length)));
  if (json[0] !== 0x7b) throw fault(`its safetensors header does not begin with '{'`);
  return { tensors: await pacer.run(parseHeader(json, file.size - dataStart, fault)), dataStart };
}

/** What a header says of a file whose tensors have so many bytes. Yields as {@link parseJsonObject}. */
export function* parseHeader(
  json: Uint8Array,
  dataBytes: number,
  fault: Fault,
): Generator<void, TensorInfo[], void> {
  const header = yield* parseJsonObject(json, fault);
  const count = header.size - (header.has('__metadata__') ? 1 : 0);
  if (count > maxTensors) throw fault(`holds ${count} tensors; at most ${maxTensors} are read`);
  const tensors: TensorInfo[] = [];
  for (const [name, value] of header) {
    if (name === '__metadata__') checkMetadata(value, fault);
    else tensors.push(parseInfo(name, value, fault));
    yield;
  }
  checkSpans(tensors, dataBytes, fault);
  return tensors;
}

function checkMetadata(value: JsonValue, fault: Fault): void {
  if (!(value instanceof Map) || [...value.values()].some((text) => typeof text !== 'string')) {
    throw fault('its __metadata__ is not an object of strings');
  }
}

function parseInfo(name: string, value: JsonValue, fault: Fault): TensorInfo {
  const wrong = (message: string) => fault(`tensor ${quote(name)}: ${message}`);
  if (!(value instanceof Map)) throw wrong('expected an object with dtype, shape and data_offsets');

  const type = storedTypes.find((known) => known.safetensors === value.get('dtype'));
  if (!type) {
    const known = storedTypes.map((stored) => stored.safetensors).join(' ');
    const got = value.get('dtype');
    throw wrong(`dtype ${typeof got === 'string' ? quote(got) : 'missing or no string'}; known are ${known}`);
  }
  const shape = naturals(value.get('shape'));
  if (!shape) throw wrong('its shape is not a list of integers from 0 to 2^53 - 1');
  const offsets = naturals(value.get('data_offsets'));
  if (offsets?.length !== 2) throw wrong('its data_offsets are not two integers from 0 to 2^53 - 1');
  const [begin, end] = offsets as [number, number];

  const count = elementCount(shape);
  if (count === undefined) throw wrong(`its shape ${shapeText(shape)} has more than 2^53 - 1 elements`);
  if (end - begin !== count * type.bytes) {
    throw wrong(
      `${type.safetensors} of shape ${shapeText(shape)} takes ${count * type.bytes} bytes, ` +
        `data_offsets [${begin}, ${end}] span ${end - begin}`,
    );
  }
  return { name, type, shape, begin, end };
}

/** The list of non-negative safe integers that `value` is, if it is one. */
function naturals(value: JsonValue | undefined): number[] | undefined {
  if (!Array.isArray(value) || value.length > maxDimensions) return undefined;
  const isNatural = (n: JsonValue) => typeof n === 'bigint' && n >= 0n && n <= Number.MAX_SAFE_INTEGER;
  return value.every(isNatural) ? value.map(Number) : undefined;
}

/** The tensors' bytes must follow one another from 0 to the end of the file. */
function checkSpans(tensors: TensorInfo[], dataBytes: number, fault: Fault): void {
  const inOrder = tensors.toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { name, begin, end } of inOrder) {
    if (begin !== position) {
      const what = begin < position ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw fault(`tensor ${quote(name)} ${what}: begins at ${begin}, expected ${position}`);
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw fault(
      `its tensors end at byte ${position} of the data, the data at ${dataBytes}; is the file truncated, or not all written?`,
    );
  }
}
