import { dirname, join } from 'node:path';
import { quote } from '../quote.js';
import type { Fault } from './fault.js';
import { maxTensors } from './limits.js';
import { maxHeaderBytes, safetensorsEntries } from './safetensors.js';
import type { StoredEntry } from './stored-entry.js';
import { type JsonObject, parseJsonObject } from './strict-json.js';
import { WeightsFile } from './weights-file.js';

/**
 * The entries of the safetensors files that an index (`*.safetensors.index.json`) names. They lie beside it: a name
 * with a path in it is refused. Tensors that the index does not list are left out. A shard is open only while it is
 * read, so that an index may name any number of them.
 *
 * @throws `ERR_WEIGHTS` where the index or a shard is wrong, or a shard lacks a tensor that the index promises.
 */
export async function shardedEntries(index: WeightsFile): Promise<Map<string, StoredEntry>> {
  const { fault, pacer } = index;
  if (index.size > maxHeaderBytes) throw fault(`an index of shards has at most ${maxHeaderBytes} bytes`);
  const json = new Uint8Array(await index.read(0, index.size));
  const shards = await pacer.run(namesByShard(await pacer.run(parseJsonObject(json, fault)), fault));

  const entries = new Map<string, StoredEntry>();
  for (const [shard, names] of shards) {
    const path = join(dirname(index.path), shard);
    await WeightsFile.use(path, pacer, async (file) => {
      const found = await safetensorsEntries(file, (work) => file.again(work));
      for (const name of names) {
        const entry = found.get(name);
        if (!entry) throw file.fault(`lacks tensor ${quote(name)}, which ${index.path} says is in it`);
        entries.set(name, entry);
      }
    });
  }
  return entries;
}

function* namesByShard(index: JsonObject, fault: Fault): Generator<void, Map<string, Set<string>>, void> {
  const weightMap = index.get('weight_map');
  if (!(weightMap instanceof Map)) {
    throw fault(
      'a JSON file of weights is an index of safetensors shards, and this one has no weight_map object',
    );
  }
  if (weightMap.size > maxTensors) {
    throw fault(`lists ${weightMap.size} tensors; at most ${maxTensors} are read`);
  }
  const shards = new Map<string, Set<string>>();
  for (const [name, shard] of weightMap) {
    if (typeof shard !== 'string') throw fault(`weight_map names no file for tensor ${quote(name)}`);
    // also what would be a path or a drive or a stream on Windows: files move between systems
    if (/^\.{0,2}$|[/\\:\p{Cc}]/u.test(shard) || shard.length > 255) {
      throw fault(
        `weight_map names ${quote(shard)} for tensor ${quote(name)}; expected a file name without a path`,
      );
    }
    const names = shards.get(shard);
    if (names) names.add(name);
    else shards.set(shard, new Set([name]));
    yield;
  }
  return shards;
}
