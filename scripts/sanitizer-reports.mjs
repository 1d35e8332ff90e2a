// Reads the reports of sanitizers in a folder. A leak counts where a frame of its stack is ours, by its name or by its file:
// the names of lambdas, and of functions that only one file knows, have no namespace. Whatever is no leak (an access out of
// bounds, undefined behaviour) counts wherever it is. That memory was refused is no error: tests ask for more than there
// is. Prints what counts and exits with 1.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
let [ours, others] = [0, 0];
for (const name of readdirSync(folder)) {
  const text = readFileSync(join(folder, name), 'utf8').replace(
    /^==\d+==WARNING: AddressSanitizer failed to allocate 0x[0-9a-f]+ bytes\n/gm,
    '',
  );
  if (text.trim() === '') continue;
  const leaks = /^(Direct|Indirect) leak of /m.test(text);
  if (!leaks) {
    ours++;
    console.error(`${name}:\n${text}`);
    continue;
  }
  for (const leak of text.split(/\n(?=(?:Direct|Indirect) leak of )/).slice(1)) {
    if (/cudnn_resnet|\/native\//.test(leak)) {
      ours++;
      console.error(`${name}:\n${leak}`);
    } else {
      others++;
    }
  }
}
console.log(`sanitizer reports: ${ours} of ours, ${others} leaks without a frame of ours (Node, V8, oneDNN)`);
process.exitCode = ours > 0 ? 1 : 0;
