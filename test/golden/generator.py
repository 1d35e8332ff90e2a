"""Numbers that this script and test/support/generator.ts both compute, bit for bit, from a name.

So a golden file holds outputs alone: inputs and weights, however large, are a name and a shape.
"""
import numpy as np


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text.encode("ascii"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def uniform(key, shape):
    """Float64 in (-1, 1), each an odd multiple of 2^-24 and so exact in float32."""
    count = int(np.prod(shape))
    x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B9) + np.uint32(fnv1a(key))
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    k = (x >> np.uint32(8)).astype(np.float64)
    return ((2 * k + 1 - 2**24) / 2**24).reshape(shape)


def images(key, shape):
    """Patches of 32 by 32 pixels under noise, so that networks tell one image from another; exact in float32."""
    n, c, h, w = shape
    patches = uniform(f"{key}.patches", [n, c, -(-h // 32), -(-w // 32)])
    pixels = patches.repeat(32, axis=2).repeat(32, axis=3)[:, :, :h, :w]
    return (uniform(key, shape) + 2 * pixels).astype(np.float32)


def parameter(key, shape):
    """An entry of a state dict, exact in float32, scaled so that activations neither die nor explode."""
    if key.endswith("num_batches_tracked"):
        return np.zeros((), dtype=np.int64)
    u = uniform(key, shape)
    if key.endswith("running_mean") or key.endswith("bias"):
        values = 0.25 * u
    elif key.endswith("running_var"):
        values = 1 + 0.5 * u
    elif len(shape) == 1:  # the weight of a batch norm: below 1, as each block adds its branch to its input
        values = 0.75 + 0.25 * u
    else:
        values = u * np.sqrt(6 / np.prod(shape[1:]))
    return values.astype(np.float32)
