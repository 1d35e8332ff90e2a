import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** The file that servers have here. */
export const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));

/** `count` is 1 for the first request. */
export type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A server on loopback until the test ends; `requests` are the Range headers that came. */
export async function serve(
  handler: Handler = (request, response) => answer(request, response),
): Promise<{ url: string; requests: (string | undefined)[] }> {
  const requests: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers.range);
    handler(request, response, requests.length);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests };
}

interface Behaviour {
  etag?: string;
  ranges?: boolean;
  /** Bytes after which the connection is cut. */
  cutAfter?: number;
}

/** Answers as a proper server of files does. */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { etag = '"one"', ranges = true, cutAfter = Number.POSITIVE_INFINITY }: Behaviour = {},
): void {
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN);
  const partial = ranges && first >= 0 && request.headers['if-range'] === etag;
  if (partial && first >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const start = partial ? first : 0;
  response.writeHead(partial ? 206 : 200, {
    'content-length': content.length - start,
    ...(etag === '' ? {} : { etag }),
    ...(partial ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  if (cutAfter < content.length - start) {
    response.write(content.subarray(start, start + cutAfter), () => setTimeout(() => response.destroy(), 20));
  } else {
    response.end(content.subarray(start));
  }
}
