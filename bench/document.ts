// Writes the tables of results, and what they reach of the aims, into docs/performance.md: npm run document
import { readFileSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import type { Results } from './results.js';
import { tables } from './table.js';
import { verdicts } from './targets.js';

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url));

/** What stands between a line that names a file of results and the line that ends it. */
const section = /(<!-- tables of bench\/results\/([\w.-]+\.json) -->)[\s\S]*?(<!-- end of the tables -->)/g;

/** The page with each of its sections made anew from the results that it names. */
export function documented(text: string): string {
  return text.replace(section, (_, begin: string, file: string, end: string) => {
    const json = readFileSync(new URL(`results/${file}`, import.meta.url), 'utf8');
    const results = JSON.parse(json) as Results;
    const aims = verdicts(results);
    const reached = aims.length > 0 ? `\n\n\`\`\`text\n${aims.join('\n')}\n\`\`\`` : '';
    return `${begin}\n\n${tables(results)}${reached}\n\n${end}`;
  });
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(page, documented(readFileSync(page, 'utf8')));
}
