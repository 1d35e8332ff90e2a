// Writes the tables of results into docs/performance.md: npm run document
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Results } from './results.js';
import { tables } from './table.js';

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

/** What stands between a line that names a file of results and the line that ends it. */
const section = /(<!-- tables of bench\/results\/([\w.-]+\.json) -->)[\s\S]*?(<!-- end of the tables -->)/g;

/** The page with each of its sections made anew from the results that it names. */
export function documented(text: string): string {
  return text.replace(section, (_, begin: string, file: string, end: string) => {
    const json = readFileSync(new URL(`results/${file}`, import.meta.url), 'utf8');
    return `${begin}\n\n${tables(JSON.parse(json) as Results)}\n\n${end}`;
  });
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, documented(readFileSync(page, 'utf8')));
}
