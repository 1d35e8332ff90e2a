import { readFileSync } from 'node:fs';
import net from 'node:net';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NativeDevice, NativeTensor } from '../binding.js';
import { native } from '../lib/native.js';
import { deviceIds } from './support/devices.js';
import { expectThrows } from './support/errors.js';
import { returnsMemory } from './support/memory.js';

/** What binding.d.ts declares: the functions it exports, and the members of its interfaces. */
function declarations(): { functions: string[]; interfaces: Map<string, string[]> } {
  const text = readFileSync(new URL('../binding.d.ts', import.meta.url), 'utf8');
  const source = ts.createSourceFile('binding.d.ts', text, ts.ScriptTarget.Latest);
  const functions: string[] = [];
  const interfaces = new Map<string, string[]>();
  for (const statement of source.statements) {
    if (ts.isFunctionDeclaration(statement)) {
      functions.push(statement.name!.text);
    } else if (ts.isInterfaceDeclaration(statement)) {
      interfaces.set(
        statement.name.text,
        statement.members.map((member) => (member.name as ts.Identifier).text),
      );
    }
  }
  return { functions, interfaces };
}

returnsMemory();

const declared = declarations();
const addon = native();

test('binding.d.ts declares what the addon exports, no more and no less', () => {
  expect(declared.functions.length).toBeGreaterThan(20);
  const exported = Object.keys(addon).filter((name) => name !== 'path'); // `bindings` puts that there
  expect(exported.sort()).toEqual(declared.functions.sort());
  for (const name of declared.functions) {
    expect(typeof addon[name as keyof typeof addon], name).toBe('function');
  }
});

describe.each(deviceIds)('handles of %s', (id) => {
  let device: NativeDevice;
  let tensor: NativeTensor;
  beforeAll(() => {
    device = addon.openDevice(id);
    tensor = addon.zeros({ device, shape: [2], dtype: 'float32' });
  });
  afterAll(() => tensor.dispose());

  test('have the members that binding.d.ts declares', () => {
    const members = (handle: object) =>
      [...Object.getOwnPropertyNames(Object.getPrototypeOf(handle)), ...Object.keys(handle)]
        .filter((name) => name !== 'constructor')
        .sort();
    expect(members(tensor)).toEqual(declared.interfaces.get('NativeTensor')!.sort());
    expect(members(device)).toEqual(declared.interfaces.get('NativeDevice')!.sort());
  });

  test('are made by the addon only', async () => {
    const classes = [tensor, device].map(
      (handle) => handle.constructor as new (...args: unknown[]) => object,
    );
    // Node's own objects hold pointers in Externals too, which are not ours to follow
    const server = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const external = (server as unknown as { _handle: { _externalStream?: unknown } })._handle
      ._externalStream;
    for (const Class of classes) {
      for (const args of [[], [{}], [tensor], [external], [1n], [undefined, undefined]]) {
        expect(() => new Class(...args)).toThrow(TypeError);
        expect(() => Reflect.construct(Class, args, Array)).toThrow(TypeError);
        expect(() => Reflect.apply(Class, tensor, args)).toThrow(TypeError);
      }
      class Derived extends Class {}
      expect(() => new Derived()).toThrow(TypeError);
    }
    await new Promise((resolve) => server.close(resolve));
  });

  test('cannot be forged', () => {
    const forged = [
      Object.create(tensor),
      Object.create(Object.getPrototypeOf(tensor)),
      Object.setPrototypeOf({ shape: [2] }, Object.getPrototypeOf(tensor)),
      Object.setPrototypeOf(() => 1, Object.getPrototypeOf(tensor)),
      new Proxy(tensor, {}),
      structuredClone(tensor),
      { ...tensor },
      device,
      Object.setPrototypeOf(addon.openDevice(id), Object.getPrototypeOf(tensor)),
      'tensor',
      null,
      7,
    ];
    for (const x of forged) {
      expectThrows('ERR_ARGUMENT', () => addon.softmax({ x }), /must be a Tensor/);
      expectThrows('ERR_ARGUMENT', () => addon.add({ a: tensor, b: x }), /must be a Tensor/);
    }
    for (const on of [Object.create(device), new Proxy(device, {}), tensor, id, undefined]) {
      const wrong = on as NativeDevice;
      expectThrows(
        'ERR_ARGUMENT',
        () => addon.zeros({ device: wrong, shape: [1], dtype: 'float32' }),
        /Device/,
      );
      expectThrows('ERR_ARGUMENT', () => addon.copyTo({ x: tensor, device: wrong }), /Device/);
    }
  });

  test('a tensor keeps its identity whatever its prototype says', () => {
    const x = addon.zeros({ device, shape: [1, 2], dtype: 'float32' });
    Object.setPrototypeOf(x, Object.getPrototypeOf(device));
    const y = addon.softmax({ x });
    expect(new Float32Array(y.dataSync())).toEqual(Float32Array.of(0.5, 0.5));
    y.dispose();
    Object.setPrototypeOf(x, Object.getPrototypeOf(tensor));
    x.dispose();
  });

  test('methods take their own class only', () => {
    for (const [handle, others] of [
      [tensor, [device, Object.create(tensor), {}, null, 1]],
      [device, [tensor, Object.create(device), {}, null, 1]],
    ] as [object, unknown[]][]) {
      const prototype = Object.getPrototypeOf(handle);
      for (const name of Object.getOwnPropertyNames(prototype)) {
        if (name !== 'constructor') {
          for (const other of others) {
            expect(() => Reflect.apply(prototype[name], other, [1]), name).toThrow(TypeError);
          }
        }
      }
    }
  });
});
