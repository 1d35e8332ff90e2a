import { existsSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';

/** Whether the system lists the files that a process has open. */
export const listsOpenFiles = existsSync('/proc/self/fd');

/** How many files with `name` in their path this process has open. */
export async function openFiles(name: string): Promise<number> {
  const descriptors = await readdir('/proc/self/fd');
  const paths = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return paths.filter((path) => path.includes(name)).length;
}
