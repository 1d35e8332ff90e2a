import { removeUnfinished } from '../whole-file.js';

/** Leaves no part of a file behind where the program ends in the middle of its work; a signal still ends it as one. */
export function removeUnfinishedAtTheEnd(): void {
  process.once('exit', removeUnfinished);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      removeUnfinished();
      process.kill(process.pid, signal); // which nobody hears any more
    });
  }
}
