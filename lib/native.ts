import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import loadBinding from 'bindings';
import type * as Binding from '../binding.js';
import { CudnnResnetError, messageOf } from './errors.js';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

let loaded: typeof Binding | undefined;

/** @internal The addon, loaded on first use. Throws `ERR_NATIVE`, which says why it cannot be loaded and what helps. */
export function native(): typeof Binding {
  loaded ??= load();
  return loaded;
}

function load(): typeof Binding {
  let addon: typeof Binding;
  try {
    addon = withShortSpins(() => built('cudnn_resnet'));
  } catch (cause) {
    throw new CudnnResnetError('ERR_NATIVE', explanation(cause), { cause });
  }
  addon.setup(CudnnResnetError);
  if (isMainThread) holdQueuesAtExit(addon);
  return addon;
}

/**
 * process.exit() and an uncaught error do not take the main thread's environment down: threads that went on would use
 * libraries whose destructors run. Whoever emits the event without ending has the queues go on in the next turn.
 */
function holdQueuesAtExit(addon: typeof Binding): void {
  process.prependListener('exit', () => {
    addon.holdQueues({ held: true });
    setImmediate(() => addon.holdQueues({ held: false }));
  });
}

/** Runs `load`, which brings OpenMP, with what native/short-spins.cc tells that. */
function withShortSpins<T>(load: () => T): T {
  const spins: { unset?(): void } = built('short_spins');
  try {
    return load();
  } finally {
    spins.unset?.();
  }
}

function built(name: string) {
  return loadBinding({ bindings: name, module_root: packageFolder });
}

/** Possible reasons, picked from what the loader said. */
function explanation(cause: unknown): string {
  const reason = messageOf(cause);
  const advice: string[] = [];
  if (reason.startsWith('Could not locate the bindings file')) {
    advice.push(
      'It was not built: run "npm rebuild cudnn-resnet" with --foreground-scripts (in a checkout "npm run build") and read what it prints.',
    );
  }
  if (Object(cause).code === 'ERR_DLOPEN_DISABLED') {
    advice.push('Node was told to load no addons: start it with --allow-addons, or without --no-addons.');
  }
  const library = /(lib[\w.+-]+\.so[\w.]*|[\w.+-]+\.dylib)/.exec(reason)?.[1];
  if (library) {
    advice.push(
      library.startsWith('libdnnl')
        ? 'oneDNN is not installed: "apt-get install libdnnl-dev", "dnf install onednn-devel" or "brew install onednn".'
        : `The library ${library} is not installed, or not where the loader looks (LD_LIBRARY_PATH).`,
    );
  }
  if (/invalid ELF header|wrong ELF class|incompatible architecture|GLIBC/.test(reason)) {
    advice.push('It was built on another system: delete node_modules and install again on this one.');
  }
  const solutions =
    advice.length > 0
      ? advice
      : ['Run "npm rebuild --foreground-scripts cudnn-resnet" and read what it prints.'];
  return [
    `The native addon of cudnn-resnet cannot be loaded on ${process.platform}-${process.arch}, Node ${process.version}.`,
    `Reason: ${reason.split('\n')[0]}`,
    'Possible solutions:',
    ...solutions.map((line) => `- ${line}`),
  ].join('\n');
}
