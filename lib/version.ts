import { readFileSync } from 'node:fs';

// One folder up from lib, and from dist: esbuild puts what both entry points use there.
const manifest = new URL('../package.json', import.meta.url);

/** The version of this package. */
export const version: string = JSON.parse(readFileSync(manifest, 'utf8')).version;
