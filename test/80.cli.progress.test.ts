import { describe, expect, it } from 'vitest';
import { ProgressBar } from '../lib/cli/progress.js';

function terminal(isTTY = true, columns = 80) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('the progress bar', () => {
  it('writes nothing where there is no terminal', () => {
    const stream = terminal(false);
    const bar = new ProgressBar('images', 10, { stream });
    bar.update(10);
    bar.clear();
    bar.draw();
    bar.end();
    expect(stream.written).toEqual([]);
  });

  it('stays on one line, ends full and is taken away', () => {
    const stream = terminal();
    const bar = new ProgressBar('images', 10, { stream });
    bar.update(10);
    bar.end();
    bar.draw();
    expect(stream.written).toEqual([
      `\r${`images ${'░'.repeat(24)} 0 % (0 of 10)`}\x1b[K`,
      `\r${`images ${'█'.repeat(24)} 100 % (10 of 10)`}\x1b[K`,
      '\r\x1b[K',
    ]);
    expect(stream.written.join('')).not.toContain('\n');
  });

  it('says 100 % when all is done and not before, and stays full beyond it', () => {
    const stream = terminal();
    const bar = new ProgressBar('images', undefined, { stream });
    bar.update(999, 1000);
    bar.draw();
    bar.update(1200);
    bar.draw();
    expect(stream.written.slice(-2).map((line) => /[█░]+ .*\)/.exec(line)?.[0])).toEqual([
      `${'█'.repeat(24)} 99 % (999 of 1000)`,
      `${'█'.repeat(24)} 100 % (1200 of 1000)`,
    ]);
  });

  it('is not redrawn for each of many steps', () => {
    const stream = terminal();
    const bar = new ProgressBar('images', 100_000, { stream });
    for (let i = 1; i < 100_000; i++) {
      bar.update(i);
    }
    expect(stream.written.length).toBeLessThan(100);
  });

  it('counts where the total is not known, in its own format, and fits a narrow terminal', () => {
    const stream = terminal(true, 20);
    const bar = new ProgressBar('fetching a long name', undefined, { stream, format: (n) => `${n} B` });
    bar.update(5, 5);
    for (const line of stream.written) {
      expect(line.length).toBeLessThanOrEqual(19 + '\r\x1b[K'.length);
    }
    const wide = terminal(true, 0);
    new ProgressBar('fetching', undefined, { stream: wide, format: (n) => `${n} B` });
    expect(wide.written).toEqual(['\rfetching 0 B\x1b[K']);
  });
});
