// What no honest file goes beyond, in whichever format.

/** Most tensors that one file may hold; the largest published models have fewer than this. */
export const maxTensors = 100_000;

/** Most dimensions of a tensor: PyTorch has no more. */
export const maxDimensions = 64;

/** The longest key or name that is read: longer ones V8 compares each with each. */
export const longestName = 16_000;
