import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ContenderDescription } from './contender.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const { resolve } = createRequire(import.meta.url);

/** The Python that `npm run setup` gave PyTorch to, or the one that BENCH_PYTHON names. */
export const python = process.env.BENCH_PYTHON ?? here('.python/bin/python');

/** Blocks per group of the networks made of bottlenecks, which the bare loop runs. */
const blocks: Record<string, readonly string[]> = {
  resnet50: ['3', '4', '6', '3'],
  resnet101: ['3', '4', '23', '3'],
  resnet152: ['3', '8', '36', '3'],
};

export const us = 'cudnn-resnet';

/**
 * What is measured, ourselves first; with the reason where one cannot run here.
 *
 * @param packages folders of further checkouts of this package
 */
export function contenders(
  model: string,
  directory: string,
  threads: number,
  packages: readonly string[],
): ContenderDescription[] {
  const program = (name: string) =>
    [process.execPath, here(`contenders/${name}.mjs`), directory, String(threads)] as const;
  const node = (name: string): ContenderDescription => ({
    name,
    command: [...program(name)],
    missing: missingPackage(name),
  });
  const torch = (variant: string): ContenderDescription => ({
    name: `PyTorch ${variant}`,
    command: [python, here('contenders/pytorch.py'), directory, String(threads), variant],
    missing: missingPyTorch(),
  });
  return [
    node(us),
    ...packages.map(
      (folder): ContenderDescription => ({
        name: `${us} (${basename(folder)})`,
        command: [...program(us), 'cpu', 'float32', folder],
      }),
    ),
    node('onnxruntime-node'),
    {
      ...node('tfjs-node'),
      missing:
        missingPackage('@tensorflow/tfjs-node') && 'not installed: it fetches its library from elsewhere',
    },
    bareLoop(model, directory, 'direct'),
    bareLoop(model, directory, 'fast'),
    ...['eager', 'channels-last', 'compiled', 'frozen'].map(torch),
  ];
}

function bareLoop(model: string, directory: string, algorithm: string): ContenderDescription {
  const program = here('../build-bench/resnet-loop');
  const missing = !existsSync(program)
    ? 'not built: npm run setup'
    : model in blocks
      ? undefined
      : `${model} has no bottlenecks`;
  return {
    name: `bare oneDNN, ${algorithm}`,
    command: [program, directory, algorithm, ...(blocks[model] ?? [])],
    missing,
  };
}

/** The contenders on the first GPU. */
export function gpuContenders(directory: string, threads: number, dtype: string): ContenderDescription[] {
  const torch = (variant: string): ContenderDescription => ({
    name: `PyTorch ${variant}`,
    command: [python, here('contenders/pytorch_cuda.py'), directory, String(threads), variant, dtype],
    missing: missingPyTorch(),
  });
  return [
    {
      name: us,
      command: [process.execPath, here(`contenders/${us}.mjs`), directory, String(threads), 'cuda', dtype],
    },
    ...['eager', 'channels-last', 'max-autotune', 'cuda-graph'].map(torch),
  ];
}

function missingPackage(name: string): string | undefined {
  try {
    resolve(name);
    return undefined;
  } catch {
    return 'not installed: npm run setup';
  }
}

let pyTorch: { missing: string | undefined } | undefined;

/** Why there is no PyTorch; undefined where there is. */
export function missingPyTorch(): string | undefined {
  pyTorch ??= { missing: findPyTorch() };
  return pyTorch.missing;
}

function findPyTorch(): string | undefined {
  try {
    execFileSync(python, ['-c', 'import torch, torchvision, safetensors'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'no PyTorch in .python, nor where BENCH_PYTHON says: npm run setup';
  }
}
