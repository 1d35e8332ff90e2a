import { us } from './contenders.js';
import type { Results } from './results.js';
import type { Spread } from './statistics.js';

/** The tables of one run, as Markdown. */
export function tables(results: Results): string {
  return [
    head(results),
    inferenceTable(results),
    processTable(results),
    eventLoopTable(results),
    classifyTable(results),
    primitiveTable(results),
    gpuTable(results),
  ]
    .filter((text) => text !== '')
    .join('\n\n');
}

function head({ date, commit, machine, model, threads, versions, missing, gpu }: Results): string {
  const leftOut = Object.entries(missing).map(([name, why]) => `${name} (${why})`);
  const libraries = Object.entries(versions).map(([name, version]) => `${name}: ${version}`);
  return (
    `${date.replace('T', ' ')} UTC, commit ${commit}: ${model}, ${gpu ? gpu.dtype : 'float32'}, 224×224, ${threads} threads on ` +
    `${machine.processor}, ${machine.cores} cores, ${(machine.memory / 2 ** 30).toFixed(0)} GiB, ${machine.system}. ` +
    `${libraries.join('; ')}.${leftOut.length > 0 ? ` Left out: ${leftOut.join('; ')}.` : ''}`
  );
}

function inferenceTable({ inference, best, errors }: Results): string {
  if (!inference) {
    return '';
  }
  const batches = Object.keys(inference).map(Number);
  const names = Object.keys(inference[batches[0]!]!);
  const header = [
    'inference',
    ...batches.flatMap((batch) => [`batch ${batch}, ms`, 'p95, p99', 'images/s', 'times ours']),
    ...(best ? ['best: images/s (batch)'] : []),
    'error',
  ];
  const rows = names.map((name) => [
    name,
    ...batches.flatMap((batch) => {
      const { median, p95, p99, imagesPerSecond, ratio } = inference[batch]![name]!;
      return [
        one(median),
        `${one(p95)}, ${one(p99)}`,
        one(imagesPerSecond),
        name === us ? '' : spreadText(ratio),
      ];
    }),
    ...(best ? [best[name] ? `${one(best[name].imagesPerSecond)} (${best[name].batch})` : ''] : []),
    errors[name]!.toExponential(0),
  ]);
  return markdown(header, rows);
}

function processTable({ coldStart, memory }: Results): string {
  const names = [...new Set([...Object.keys(coldStart ?? {}), ...Object.keys(memory ?? {})])];
  if (names.length === 0) {
    return '';
  }
  const rows = names.map((name): string[] => {
    const start = coldStart?.[name];
    const peak = memory?.[name];
    return [
      name,
      start ? start.milliseconds.median.toFixed(0) : '',
      start && name !== us ? spreadText(start.ratio) : '',
      peak ? (peak.bytes.median / 1e6).toFixed(0) : '',
      peak && name !== us ? spreadText(peak.ratio) : '',
    ];
  });
  return markdown(
    ['process', 'cold start, ms', 'times ours', 'peak memory at batch 8, MB', 'times ours'],
    rows,
  );
}

function eventLoopTable({ eventLoop }: Results): string {
  if (!eventLoop) {
    return '';
  }
  const rows = Object.entries(eventLoop).flatMap(([batch, delays]) =>
    Object.entries(delays).map(([name, { median, p99, most, inference }]) => [
      name,
      batch,
      ...[inference, median, p99, most].map(one),
    ]),
  );
  return markdown(
    ['event loop: a timer of 1 ms', 'batch', 'one inference, ms', 'median, ms', 'p99', 'most'],
    rows,
  );
}

function classifyTable({ classify: c }: Results): string {
  if (!c) {
    return '';
  }
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  const rows = [
    [
      '`classify`, files to classes',
      one(c.classify),
      `${percent(c.share)} of inference alone; cores ${percent(c.coresBusy)} busy`,
    ],
    ['inference alone, pixels to classes', one(c.inference), `cores ${percent(c.inferenceBusy)} busy`],
    [
      'decoding alone, files to pixels',
      one(c.decoding),
      `if inference paid for it: ${percent(c.shareAtMost)} left`,
    ],
  ];
  return markdown([`${c.files} JPEG files, batch ${c.batch}`, 'images/s', ''], rows);
}

function primitiveTable({ primitives }: Results): string {
  if (!primitives) {
    return '';
  }
  const { list, peakGflops, peakGigabytes, peakTileGflops } = primitives;
  const names = [...new Set(list.map(({ name }) => name))];
  const batches = [...new Set(list.map(({ batch }) => batch))];
  const rows = names.map((name) => {
    const ofBatch = batches.map(
      (batch) => list.find((entry) => entry.name === name && entry.batch === batch)!,
    );
    return [
      name.replace('->', '→').replaceAll('/', ' '),
      String(ofBatch[0]!.layers ?? ''),
      ...ofBatch.flatMap(({ microseconds, gflops, gigabytes, ofLimit }) => [
        microseconds.toFixed(0),
        gflops.toFixed(0),
        gigabytes.toFixed(1),
        ofLimit === undefined ? '' : `${(100 * ofLimit).toFixed(0)} %`,
      ]),
    ];
  });
  const header = [
    '',
    'layers',
    ...batches.flatMap((batch) => [`batch ${batch}, µs`, 'GFLOP/s', 'GB/s', 'of the limit']),
  ];
  const tiles = peakTileGflops > 0 ? `, ${peakTileGflops} GFLOP/s by products of bfloat16 in tiles` : '';
  return `Peaks of the machine: ${peakGflops} GFLOP/s, ${peakGigabytes} GB/s${tiles}.\n\n${markdown(header, rows)}`;
}

function gpuTable({ gpu }: Results): string {
  if (!gpu) {
    return '';
  }
  const rows = Object.entries(gpu.inference).flatMap(([batch, of]) =>
    Object.entries(of).map(
      ([name, { resident, hostIncluded, overlapped, imagesPerSecond, ratio, ofRoofline }]) => [
        name,
        batch,
        resident.median.toFixed(3),
        name === us ? '' : spreadText(ratio),
        imagesPerSecond.toFixed(0),
        `${(100 * ofRoofline).toFixed(0)} %`,
        hostIncluded.median.toFixed(3),
        overlapped?.median.toFixed(3) ?? '',
      ],
    ),
  );
  const header = [
    '',
    'batch',
    'resident, ms',
    'times ours',
    'images/s',
    'of the roofline',
    'host included, ms',
    'three under way, ms',
  ];
  return (
    `${gpu.name}, ${gpu.dtype}: ${gpu.teraflops.toFixed(0)} TFLOP/s in large matrices, ${gpu.gigabytes.toFixed(0)} GB/s ` +
    `in a copy.\n\n${markdown(header, rows)}`
  );
}

function markdown(header: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(header), `|${'---|'.repeat(header.length)}`, ...rows.map(line)].join('\n');
}

const one = (value: number) => value.toFixed(1);
const spreadText = ({ median, p25, p75 }: Spread) =>
  `**${median.toFixed(2)}** (${p25.toFixed(2)}–${p75.toFixed(2)})`;
