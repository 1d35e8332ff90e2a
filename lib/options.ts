import { CudnnResnetError } from './errors.js';
import { shown } from './kind-of.js';

/**
 * Throws `ERR_ARGUMENT` where `given` is no object or holds a name that is not in `known`; a misspelt name is
 * answered with the nearest right one.
 */
export function checkOptions<Options extends object>(
  where: string,
  given: Options,
  known: readonly (keyof Options & string)[],
): void {
  if (typeof given !== 'object' || given === null) {
    throw new CudnnResnetError(
      'ERR_ARGUMENT',
      `${where}: expected an object of options, got ${shown(given)}`,
    );
  }
  let names: string[];
  try {
    names = Object.keys(given);
  } catch (cause) {
    throw new CudnnResnetError('ERR_ARGUMENT', `${where}: the options cannot be read`, { cause });
  }
  for (const name of names) {
    if (!(known as readonly string[]).includes(name)) {
      throw new CudnnResnetError(
        'ERR_ARGUMENT',
        `${where}: unknown option '${name}'${suggestion(name, known)}`,
      );
    }
  }
}

/** `; did you mean 'stride'?`, or the whole list where nothing is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const ranked = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }));
  ranked.sort((a, b) => a.distance - b.distance);
  const nearest = ranked[0];
  if (nearest && nearest.distance <= Math.max(2, Math.floor(name.length / 3))) {
    return `; did you mean '${nearest.candidate}'?`;
  }
  return known.length > 0 ? `; known are ${known.map((k) => `'${k}'`).join(', ')}` : '; there are none';
}

/** Levenshtein distance without regard to case. */
function editDistance(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  let previous = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const row = [i];
    for (let j = 1; j <= y.length; j++) {
      const substitution = previous[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[y.length]!;
}
