import { us } from './contenders.js';
import type { Results } from './results.js';

interface Panel {
  title: string;
  unit: string;
  bars: [string, number][];
}

const [width, labelWidth, barHeight, panelGap] = [760, 180, 22, 48];

/** Bars of what was measured, as an SVG. */
export function chart(results: Results): string {
  const panels = panelsOf(results);
  let y = 40;
  const parts: string[] = [];
  for (const { title, unit, bars } of panels) {
    parts.push(text(12, y, `${title}, ${unit}`, 'font-weight="bold"'));
    const longest = Math.max(...bars.map(([, value]) => value));
    for (const [name, value] of bars) {
      y += barHeight;
      const length = Math.max(1, ((width - labelWidth - 80) * value) / longest);
      parts.push(
        text(labelWidth - 8, y, name, 'text-anchor="end"'),
        `<rect x="${labelWidth}" y="${y - 13}" width="${length.toFixed(1)}" height="16" fill="${name === us ? '#2a78c8' : '#b8bec6'}"/>`,
        text(labelWidth + length + 6, y, value.toFixed(value < 100 ? 1 : 0)),
      );
    }
    y += panelGap;
  }
  const { date, commit, machine, model, threads, gpu } = results;
  const where = gpu ? `${gpu.dtype}, ${gpu.name}` : `float32, ${threads} threads, ${machine.processor}`;
  const caption = `${model}, ${where}; ${date.slice(0, 10)}, ${commit}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="13">`,
    `<rect width="${width}" height="${y}" fill="white"/>`,
    text(12, 20, caption, 'fill="#555"'),
    ...parts,
    '</svg>\n',
  ].join('\n');
}

function panelsOf({ inference, memory, coldStart, eventLoop, primitives, gpu }: Results): Panel[] {
  const panels: Panel[] = [];
  const add = <T>(
    title: string,
    unit: string,
    of: Record<string, T> | undefined,
    value: (entry: T) => number,
  ) => {
    if (of) {
      panels.push({ title, unit, bars: Object.entries(of).map(([name, entry]) => [name, value(entry)]) });
    }
  };
  for (const [batch, of] of Object.entries(inference ?? {})) {
    if (batch === '1') {
      add('Latency at batch 1, median (shorter is better)', 'ms', of, ({ median }) => median);
    } else {
      add(
        `Throughput at batch ${batch} (longer is better)`,
        'images/s',
        of,
        ({ imagesPerSecond }) => imagesPerSecond,
      );
    }
  }
  add(
    'Cold start to the first result (shorter is better)',
    'ms',
    coldStart,
    ({ milliseconds }) => milliseconds.median,
  );
  add('Peak memory at batch 8 (shorter is better)', 'MB', memory, ({ bytes }) => bytes.median / 1e6);
  add('Event loop at batch 8, p99 (shorter is better)', 'ms', eventLoop?.[8], ({ p99 }) => p99);
  const layers = primitives?.list.filter(({ batch, layers }) => batch === 1 && layers);
  add(
    'Layers alone at batch 1, of the peak of direct arithmetic, which Winograd passes (longer is better)',
    '%',
    layers && Object.fromEntries(layers.map((layer) => [layer.name.split('/')[1]!, layer])),
    ({ ofLimit }) => 100 * ofLimit!,
  );
  for (const [batch, of] of Object.entries(gpu?.inference ?? {})) {
    add(`On the GPU at batch ${batch} (longer is better)`, 'images/s', of, (entry) => entry.imagesPerSecond);
  }
  return panels;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped}</text>`;
}
