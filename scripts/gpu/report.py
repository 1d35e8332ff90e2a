"""Writes DIR/gpu-check.json: what check.sh found, on what.

    report.py DIR GPU DRIVER CUDA CUDNN COMMIT <STEPS

Each line of STEPS is a step's name, state, seconds and note, with tabs between them. What parity.py wrote to DIR goes in.
"""

import json
import os
import sys
import time

sys.stdin.reconfigure(errors="replace")  # a note may be cut in the middle of a character
directory, gpu, driver, cuda, cudnn, commit = sys.argv[1:]
steps = []
for line in sys.stdin:
    name, state, seconds, note = line.rstrip("\n").split("\t", 3)
    steps.append({"name": name, "state": state, "seconds": int(seconds), "note": note})
parity = os.path.join(directory, "parity.json")
result = {
    "date": time.strftime("%Y-%m-%d"),
    "commit": commit,
    "gpu": gpu,
    "driver": driver,
    "cuda": cuda,
    "cudnn": cudnn,
    "steps": steps,
    "parity": json.load(open(parity)) if os.path.exists(parity) else None,
}
with open(os.path.join(directory, "gpu-check.json"), "w") as file:
    json.dump(result, file, indent=2)
    file.write("\n")
