/** What a message calls a value that is of the wrong kind: `number`, `null`, `array`. */
export function kindOf(value: unknown): string {
  if (value === null) {
    return 'null';
  }
  return Array.isArray(value) ? 'array' : typeof value;
}
