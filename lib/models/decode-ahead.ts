import { unlessAborted } from '../abort.js';
import type { Device } from '../device.js';

/**
 * What `decode` makes of the images, batch by batch, each of which it gets with the place of its first image. While the
 * caller works on one batch the next is decoded, and no more than that, so that the memory in use does not grow with their
 * number; each is given once the device is ready for it.
 */
export async function* decodeAhead<Image, Batch>(
  images: readonly Image[],
  options: { batch: number; device: Pick<Device, 'ready'>; signal?: AbortSignal | undefined },
  decode: (images: readonly Image[], first: number) => Promise<Batch>,
): AsyncGenerator<Batch> {
  const { batch, device, signal } = options;
  const begin = (first: number) => {
    const decoded = decode(images.slice(first, first + batch), first);
    decoded.catch(() => undefined); // it rejects where it is awaited, if it still is
    return decoded;
  };
  let next = begin(0);
  for (let first = 0; first < images.length; first += batch) {
    const current = await unlessAborted(signal, next);
    next = begin(first + batch);
    await unlessAborted(signal, device.ready());
    yield current;
  }
}
