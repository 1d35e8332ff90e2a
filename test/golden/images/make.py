"""Writes the pictures of this folder and cases.json: what torchvision's preprocessing makes of them.

    python3 make.py        (needs numpy and Pillow; torchvision resizes PIL images with exactly these Pillow calls)
"""
import base64
import json
import pathlib

import numpy
from PIL import Image

here = pathlib.Path(__file__).parent
generator = numpy.random.default_rng(7)


def photo(width, height, channels):
    """Noise whose power falls with the frequency, as a photograph's does, with some hard edges."""
    frequency = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.fftfreq(width)[None])
    frequency[0, 0] = 1
    planes = []
    for _ in range(channels):
        spectrum = numpy.fft.fft2(generator.standard_normal((height, width))) / frequency**1.2
        plane = numpy.real(numpy.fft.ifft2(spectrum))
        planes.append((plane - plane.mean()) / plane.std() * 45 + 128)
    pixels = numpy.stack(planes, -1)
    rows, columns = numpy.mgrid[:height, :width]
    pixels[(columns // 13 + rows // 9) % 7 == 0] += 70
    return numpy.clip(pixels, 0, 255).astype(numpy.uint8)


def preprocessed(image, size, resize):
    """torchvision.transforms' Resize(resize) and CenterCrop(size) on a PIL image."""
    image = image.convert("RGB")
    width, height = image.size
    long = int(resize * max(width, height) / min(width, height))
    width, height = (resize, long) if width <= height else (long, resize)
    image = image.resize((width, height), Image.BILINEAR)
    left, top = int(round((width - size) / 2.0)), int(round((height - size) / 2.0))
    return image.crop((left, top, left + size, top + size)).tobytes()


Image.fromarray(photo(160, 121, 3)).save(here / "landscape.png", optimize=True)
Image.fromarray(photo(31, 44, 3)).save(here / "small.png", optimize=True)
Image.fromarray(photo(64, 50, 4)).save(here / "alpha.png", optimize=True)
Image.fromarray(photo(90, 61, 1)[..., 0]).save(here / "grey.png", optimize=True)
Image.fromarray(photo(640, 481, 3)).save(here / "photo.jpg", quality=40)

cases = []
for name, size, resize in [
    ("landscape.png", 32, 36),
    ("landscape.png", 33, 40),
    ("landscape.png", 40, 121),
    ("small.png", 45, 58),
    ("alpha.png", 32, 37),
    ("grey.png", 32, 37),
    ("photo.jpg", 32, 33),
    ("photo.jpg", 48, 256),
]:
    pixels = preprocessed(Image.open(here / name), size, resize)
    cases.append({"image": name, "size": size, "resize": resize, "rgb": base64.b64encode(pixels).decode()})
(here / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
