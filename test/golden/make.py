"""Writes the golden files beside this script. See README.md."""
from pathlib import Path

import make_modules
import make_networks
import make_primitives

here = Path(__file__).parent
make_primitives.make(here / "primitives.json")
make_modules.make(here / "modules.json")
make_networks.make(here / "blocks.safetensors", here / "networks.safetensors")
