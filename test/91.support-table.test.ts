import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from './support/temporary-folder.js';

const script = fileURLToPath(new URL('../scripts/gpu/support-table.mjs', import.meta.url));
const { results, supportTable, withTable } = (await import(pathToFileURL(script).href)) as {
  results(folder?: string): object[];
  supportTable(found: object[]): string;
  withTable(text: string, table: string): string;
};

const check = (values: object) => ({
  date: '2026-01-02',
  commit: '0123456789abcdef',
  gpu: 'NVIDIA T4',
  driver: '580.1',
  cuda: '13.0',
  cudnn: '9.19.0',
  steps: [
    { name: 'build', state: 'passed' },
    { name: 'suite', state: 'failed' },
    { name: 'memcheck', state: 'not run' },
  ],
  ...values,
});

test('README.md and docs/cuda.md say what bench/results says, and nothing else', () => {
  execFileSync(process.execPath, [script, '--check']);
});

test('without a result it says that nothing has run', () => {
  expect(results(join(tmpdir(), 'no such folder'))).toEqual([]);
  expect(supportTable([])).toMatch(/^Nothing .* has run on a GPU yet/);
});

test('a row for each result, the latest first, with what did not pass', async () => {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'gpu-check-t4.json'), JSON.stringify(check({})));
  const steps = [{ name: 'build', state: 'passed' }];
  writeFileSync(
    join(folder, 'gpu-check-h200.json'),
    JSON.stringify(check({ gpu: 'NVIDIA H200', date: '2026-02-03', steps })),
  );
  writeFileSync(join(folder, 'other.json'), '{}');
  const lines = supportTable(results(folder)).split('\n');
  expect(lines[2]).toBe('| NVIDIA H200 | 580.1 | 13.0 | 9.19.0 | 2026-02-03 | 01234567 | 1 of 1 |');
  expect(lines[3]).toBe(
    '| NVIDIA T4 | 580.1 | 13.0 | 9.19.0 | 2026-01-02 | 01234567 | 1 of 3; suite: failed; memcheck: not run |',
  );
});

test('a result of more than a commit has a plus behind it', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567';
  expect(supportTable([check({ commit })])).toContain('| 01234567 |');
  expect(supportTable([check({ commit: `${commit}+` })])).toContain('| 01234567+ |');
});

test('a document without a place for it is an error', () => {
  expect(() => withTable('# Title', 'table')).toThrow(/no place for the table/);
});
