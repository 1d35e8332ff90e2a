import { type BinaryLike, createHash } from 'node:crypto';
import type { Tensor } from '../../lib/index.js';

export const sha256 = (bytes: BinaryLike) => createHash('sha256').update(bytes).digest('hex');

/** Of a tensor's values: equal where they are equal bit for bit. */
export const digestOf = async (x: Tensor) => sha256(await x.data());
