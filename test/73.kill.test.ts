import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWeights } from '../lib/index.js';
import { expectEnd, program } from './standalone/process.js';
import { sha256 } from './support/digest.js';
import { randomIntegers } from './support/random.js';
import { suiteFolder } from './support/temporary-folder.js';

/** How often; a hundred in the nightly run. The plans of cuDNN have such a test in native/test. */
const times = Number(process.env.KILL_TIMES ?? 10);

const contents = new Map(Array.from({ length: 3 }, (_, i) => [`file-${i}.pth`, randomBytes(3_000_000)]));

const folder = suiteFolder();
let server: Server;
let address: string;

beforeAll(async () => {
  await mkdir(join(folder, 'cache'));
  server = createServer((request, response) => {
    const name = request.url!.slice(1);
    const bytes = contents.get(name);
    if (!bytes) {
      response.end(JSON.stringify([...contents].map(([each, b]) => ({ name: each, digest: sha256(b) }))));
      return;
    }
    const first = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(first > 0 ? 206 : 200, {
      etag: `"${sha256(bytes).slice(0, 16)}"`,
      'content-length': bytes.length - first,
      ...(first > 0 && { 'content-range': `bytes ${first}-${bytes.length - 1}/${bytes.length}` }),
    });
    // in pieces, so that a download takes a while
    let position = first;
    const send = () => {
      if (position >= bytes.length) {
        response.end();
        return;
      }
      response.write(bytes.subarray(position, position + 200_000));
      position += 200_000;
      setTimeout(send, 4);
    };
    send();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test(
  `processes killed at ${times} random moments leave whole files, and the next one goes on`,
  async () => {
    const weights = join(folder, 'weights.safetensors');
    const moments = randomIntegers('moments of killing', [times], 0, 600).data;
    for (let i = 0; i < times; i++) {
      const after = moments[i]!;
      const ended = await program('kill.mjs', [folder, address], {
        node: ['--import', 'tsx'],
        signal: { name: 'SIGKILL', after },
      });
      expect(ended).toMatchObject({ code: null, signal: 'SIGKILL', stderr: '' });
      for (const name of await readdir(join(folder, 'cache'))) {
        const bytes = contents.get(name);
        if (!bytes) {
          expect(name).toMatch(/^file-\d\.pth\.part\./);
          continue;
        }
        expect(sha256(await readFile(join(folder, 'cache', name))), `${name} after ${after} ms`).toBe(
          sha256(bytes),
        );
        // so that the next process has it to download
        if (i % 2 === 0) await rm(join(folder, 'cache', name));
      }
      if (existsSync(weights)) expect((await readWeights(weights)).size).toBe(122);
    }
    const midway = await program('kill.mjs', [folder, address, 'midway'], { node: ['--import', 'tsx'] });
    expect(midway).toMatchObject({ code: null, signal: 'SIGKILL', stderr: '' });
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).not.toEqual([]);
    expectEnd(await program('kill.mjs', [folder, address, 'once'], { node: ['--import', 'tsx'] }), 0);
    // what killed processes left of downloads is used or removed by the next one that downloads
    for (const name of contents.keys()) await rm(join(folder, 'cache', name));
    expectEnd(await program('kill.mjs', [folder, address, 'once'], { node: ['--import', 'tsx'] }), 0);
    expect((await readdir(join(folder, 'cache'))).sort()).toEqual([...contents.keys()].sort());
    // and what they left of files that they wrote
    expect((await readdir(folder)).sort()).toEqual(['cache', 'weights.safetensors']);
  },
  times * 10_000,
);
