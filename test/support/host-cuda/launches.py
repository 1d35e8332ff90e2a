"""Turns a CUDA source into C++ that runs its kernels on the host: python3 launches.py in.cu out.cc

kernel<T><<<blocks, threads, 0, stream>>>(arguments) becomes a call of host_cuda::launch, which gives it to the
emulated stream: see emulation.h.
"""

import re
import sys


def closing(text, start, opening, ending):
    """The index of what closes the bracket at `start`."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == opening) - (text[i] == ending)
        if depth == 0:
            return i
    raise ValueError("unbalanced brackets")


def expression_start(text, end):
    """Where the kernel's name, with its template arguments, that ends before `end` begins."""
    i = len(text[:end].rstrip())
    if text[i - 1] == ">":
        depth = 0
        while True:
            i -= 1
            depth += (text[i] == ">") - (text[i] == "<")
            if depth == 0:
                break
    return re.search(r"\w+$", text[:i]).start()


def translated(text):
    together = "true" if "__syncthreads" in text or "blockReduce" in text else "false"
    while (launch := text.find("<<<")) >= 0:
        end = text.index(">>>", launch)
        start = expression_start(text, launch)
        opening = text.index("(", end)
        finish = closing(text, opening, "(", ")")
        grid, block, _, stream = text[launch + 3 : end].split(",")
        call = f"{text[start:launch].strip()}{text[opening:finish + 1]}"
        text = f"{text[:start]}host_cuda::launch({stream}, {grid}, {block}, {together}, [=] {{ {call}; }}){text[finish + 1:]}"
    return '#include "emulation.h"\n' + text


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        result = translated(source.read())
    with open(sys.argv[2], "w") as target:
        target.write(result)
