import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { stateDictPlan } from '../lib/nn/state-dict.js';
import { listed, named, printable, quote } from '../lib/quote.js';
import {
  checkpoint,
  expectRefusal,
  pickle,
  readBytes,
  safetensors,
  tensorPickle,
} from './support/weights-files.js';

const { text, dict, program } = pickle;
const refuse = (bytes: Uint8Array, message: RegExp, name = 'x.pth') =>
  expectRefusal(readBytes(bytes, name), message);
const torch = (body: Buffer) => checkpoint(program(body), { '0': Buffer.alloc(16) });

describe('names that only their wrapping hides', () => {
  test.each(['module.__proto__', 'module._orig_mod.__proto__', '__proto__'])('%s', (name) =>
    refuse(torch(dict(text(name), tensorPickle())), /name is __proto__/),
  );
});

test('as many tensors as may be written can be read, with metadata beside them', async () => {
  const tensors = Array.from(
    { length: 100_000 },
    (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`,
  );
  const file = (...members: string[]) => safetensors(`{"__metadata__":{"format":"pt"},${members.join(',')}}`);
  expect((await readBytes(file(...tensors), 'x.safetensors')).size).toBe(100_000);
  await refuse(
    file(...tensors, tensors[0]!.replace('0', 'a')),
    /holds 100001 tensors; at most 100000/,
    'x.safetensors',
  );
});

describe('texts of a file in messages', () => {
  /** Nothing that a terminal obeys, and no longer than a screen. */
  async function expectTame(bytes: Uint8Array, name?: string) {
    const error = await readBytes(bytes, name).then(
      () => expect.fail('was not refused'),
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: 'ERR_WEIGHTS' });
    expect(error.message).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028]/u);
    expect(error.message.length).toBeLessThan(2000);
  }
  const hostile = `\u009b2J\u202e\u001b]\u2028\u007f${'x'.repeat(1_000_000)}`;

  test('a name, a key, a value and a shard', async () => {
    await expectTame(safetensors({ [hostile.slice(0, 1000)]: 1 }), 'x.safetensors');
    await expectTame(safetensors(`{"a":1,"\u202e\\q":1}`), 'x.safetensors');
    await expectTame(torch(dict(text(hostile.slice(0, 1000)), text('x'))));
    await expectTame(torch(text(hostile.slice(0, 1000) + 'x'.repeat(900_000))));
    const index = (shard: string) => Buffer.from(JSON.stringify({ weight_map: { a: shard } }));
    await expectTame(index('a\u0085\u001b[2J'), 'x.safetensors.index.json');
    await expectTame(index('x'.repeat(100_000)), 'x.safetensors.index.json');
  });

  test('a hundred thousand keys that do not fit', () => {
    const given = new Map(Array.from({ length: 100_000 }, (_, i) => [`\u001b, ${i}`, { shape: [] }]));
    try {
      stateDictPlan('x does not fit', new Map(), given, { strict: true, optional: new Set() });
      expect.fail('was not refused');
    } catch (error) {
      const { message } = error as Error;
      expect(message).toMatch(
        /^x does not fit:\n {2}unexpected \(100000\): "\\u001b, 0", .* and 99980 more$/,
      );
    }
  });

  test('what is quoted, and how', () => {
    expect(quote('a"\n\u009b\u202e\ud800é')).toBe('"a\\"\\n\\u009b\\u202e\\ud800é"');
    expect(quote('x'.repeat(121))).toBe(`"${'x'.repeat(120)}…"`);
    expect(printable('two\nlines\t\u2066é\\')).toBe('two\\nlines\\t\\u2066é\\');
    expect([named('layer1.0.weight'), named('a, b')]).toEqual(['layer1.0.weight', '"a, b"']);
    expect(listed(['a', 'b'])).toBe('a, b');
  });
});

test('where too many files are open, the path is not to blame', async () => {
  const script = `import { openSync } from 'node:fs';
    import { readWeights } from ${JSON.stringify(new URL('../lib/weights/read.ts', import.meta.url).href)};
    try { for (;;) openSync('/dev/null'); } catch {}
    await readWeights('/dev/null/x').catch(() => {});
    await readWeights(process.execPath).catch(({ code, message }) => process.stderr.write(code + message));`;
  const limited = `ulimit -n 64; exec "$0" --import tsx --input-type=module -e "$1"`;
  const { stderr } = await promisify(execFile)('bash', ['-c', limited, process.execPath, script]);
  expect(stderr).toMatch(/^ERR_WEIGHTS.*EMFILE.*; close other files, or raise the limit$/);
});
