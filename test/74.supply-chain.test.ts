import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, onTestFinished, test } from 'vitest';
import { download } from '../lib/weights/download.js';
import { expectRejects } from './support/errors.js';
import { certificate, key } from './support/self-signed.js';
import { temporaryFolder } from './support/temporary-folder.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Locked {
  version: string;
  dev?: boolean;
  optional?: boolean;
  peer?: boolean;
  devOptional?: boolean;
  hasInstallScript?: boolean;
}

/** What a user gets with the package, by its name. */
const installed = new Map(
  Object.entries(JSON.parse(read('package-lock.json')).packages as Record<string, Locked>)
    .filter(
      ([path, { dev, optional, peer, devOptional }]) => path && !dev && !optional && !peer && !devOptional,
    )
    .map(([path, locked]) => [path.replace(/^.*node_modules\//, ''), locked]),
);

describe('dependencies', () => {
  const page = read('docs/dependencies.md');
  const [runTime, whenCompiled] = page.split('## When it is compiled') as [string, string];
  const table = (text: string) =>
    new Map(
      [...text.matchAll(/^\| ([\w@/-]+) \| (\d[\w.-]*) \|/gm)].map(([, name, version]) => [name!, version!]),
    );

  test('are those of the list, in its versions', () => {
    const through = /Through `cmake-js` come ([^.]*)\./.exec(whenCompiled)![1]!.split(/,\s+/);
    const listed = new Map([...table(runTime), ...table(whenCompiled)]);
    for (const [name, version] of listed) expect(installed.get(name)?.version, name).toBe(version);
    expect([...listed.keys(), ...through].sort()).toEqual([...installed.keys()].sort());
  });

  test('at run time are what the code imports', () => {
    const direct = Object.keys(JSON.parse(read('package.json')).dependencies);
    const imported = new Set(sources('lib').flatMap(([, source]) => imports(source)));
    const packages = [...imported].filter((name) => !name.startsWith('.') && !name.startsWith('node:'));
    const known = [...table(runTime).keys()];
    for (const name of packages) if (name !== 'sharp') expect(known).toContain(name);
    for (const name of direct)
      expect(known.includes(name) ? packages : [...table(whenCompiled).keys()]).toContain(name);
  });

  test('have no install script', () => {
    expect([...installed].filter(([, { hasInstallScript }]) => hasInstallScript)).toEqual([]);
    expect(JSON.parse(read('package.json')).scripts.install).toBe(
      'if [ "$npm_command" = rebuild ]; then cmake-js rebuild; else cmake-js compile; fi',
    );
  });
});

describe('what is published', () => {
  test('evaluates no text, starts no process, and leaves TLS as it is', () => {
    const files = sources('lib');
    expect(files.length).toBeGreaterThan(40);
    for (const [name, source] of files) {
      for (const module of imports(source))
        expect(module, name).not.toMatch(/^(node:)?(child_process|vm|cluster|repl)$/);
      expect(forbidden(source), name).toEqual([]);
      expect(source.text, name).not.toMatch(/rejectUnauthorized|NODE_TLS_REJECT_UNAUTHORIZED|http:\/\//);
    }
  });

  test('has native code that starts no process', () => {
    const files = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' });
    const ours = files.filter((name) => /\.(cc|h|cu|cuh)$/.test(name) && !/^(test|bench|fuzz)\//.test(name));
    expect(ours.length).toBeGreaterThan(50);
    for (const name of ours) {
      expect(read(`native/${name}`), name).not.toMatch(
        /\b(system|popen|exec[lv]p?e?|fork|posix_spawn|RunScript)\(/,
      );
    }
  });
});

test('a server whose certificate nobody vouches for is refused', async () => {
  const folder = await temporaryFolder();
  let asked = 0;
  const server = createServer({ key, cert: certificate }, (_, response) => {
    asked++;
    response.end('weights');
  });
  onTestFinished(() => {
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/file.pth`;
  const job = { url, path: join(folder, 'file.pth'), digest: '', stallTimeout: 5000 };
  const downloading = download({ ...job, onProgress: undefined, signal: undefined });
  await expectRejects('ERR_WEIGHTS', downloading, /self-signed certificate/);
  expect(asked).toBe(0);
  expect(await readdir(folder)).toEqual([]);
});

function sources(folder: string): [string, ts.SourceFile][] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [
      name,
      ts.createSourceFile(name, read(`${folder}/${name}`), ts.ScriptTarget.Latest, true),
    ]);
}

function imports(source: ts.SourceFile): string[] {
  return ts.preProcessFile(source.text, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** Calls of `eval` and of the constructors that compile text. */
function forbidden(node: ts.Node): string[] {
  const callee = ts.isCallExpression(node) || ts.isNewExpression(node) ? node.expression : undefined;
  const found =
    callee && ts.isIdentifier(callee) && /^(eval|Function)$/.test(callee.text) ? [node.getText()] : [];
  node.forEachChild((child) => {
    found.push(...forbidden(child));
  });
  return found;
}
