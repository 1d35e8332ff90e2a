/** What work gave and how it held the event loop, in milliseconds without those that the thread waited for a core. */
export interface Watched<T> {
  result: T;
  /** The longest stretch from one turn of the event loop to the next. */
  longest: number;
  median: number;
  /** From the beginning to the end of the work. */
  elapsed: number;
  /** How often the event loop turned. */
  ticks: number;
}

/** Does some work while a timer fires each millisecond. */
export function watchEventLoop<T>(work: () => T | Promise<T>): Promise<Watched<T>>;
