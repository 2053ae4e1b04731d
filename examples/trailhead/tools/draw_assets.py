#!/usr/bin/env python3
"""This file's job is to draw the app's pictures, from nothing but arithmetic.

Run it from anywhere: it rewrites the PNG files under app/assets and versions/*/assets, always to the same bytes.
"""
import math
import pathlib
import random
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
DENSITIES = ((1, ""), (2, "@2x"), (3, "@3x"))
PHOTO_WIDTH, PHOTO_HEIGHT, ICON_SIZE = 160, 80, 24


def png(width, height, pixel):
    """Encodes an RGBA picture; `pixel(x, y)` gives four values from 0 to 255."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows.extend(pixel(x, y))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b"")


def write(folder, name, base_width, base_height, make_pixel):
    for scale, suffix in DENSITIES:
        path = ROOT / folder / f"{name}{suffix}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(base_width * scale, base_height * scale, make_pixel(scale)))


def landscape(seed, sky, ground):
    """Layers of hills under a sky; each layer is a sum of sines, with grain so that it does not compress away."""
    def make(scale):
        random_numbers = random.Random(seed)
        layers = []
        for depth in range(4):
            waves = [(random_numbers.uniform(0.01, 0.09), random_numbers.uniform(0, 6.3), random_numbers.uniform(3, 11)) for _ in range(5)]
            layers.append((PHOTO_HEIGHT * (0.35 + 0.17 * depth), waves))
        grain = random.Random(seed + scale)

        def pixel(x, y):
            u, v = x / scale, y / scale
            colour = [channel + (255 - channel) * v / PHOTO_HEIGHT for channel in sky]
            for depth, (base, waves) in enumerate(layers):
                if v > base - sum(height * math.sin(u * rate + phase) for rate, phase, height in waves) * (1 - depth / 5):
                    colour = [channel * (1 - 0.17 * depth) + 20 * (3 - depth) for channel in ground]
            noise = grain.randint(-3, 3)
            return [max(0, min(255, int(channel) + noise)) for channel in colour] + [255]

        return pixel
    return make


def icon(colour, inside):
    """A flat glyph: `inside(u, v)` says whether a point of the unit square is filled."""
    def make(scale):
        size = ICON_SIZE * scale

        def pixel(x, y):
            hits = sum(inside((x + dx) / size, (y + dy) / size) for dx in (0.25, 0.75) for dy in (0.25, 0.75))
            return [*colour, hits * 255 // 4]

        return pixel
    return make


def is_pin(u, v):
    return math.hypot(u - 0.5, v - 0.36) < 0.3 and math.hypot(u - 0.5, v - 0.36) > 0.11 or abs(u - 0.5) < (0.95 - v) * 0.35 and v > 0.55


def is_pack(u, v):
    return 0.22 < u < 0.78 and 0.25 < v < 0.92 and not (0.32 < u < 0.68 and 0.6 < v < 0.64) or 0.36 < u < 0.64 and 0.1 < v < 0.18


def is_boot(u, v):
    return 0.25 < u < 0.52 and 0.12 < v < 0.8 or 0.25 < u < 0.85 and 0.58 < v < 0.8 or 0.2 < u < 0.88 and 0.84 < v < 0.92


def is_compass(u, v):
    radius = math.hypot(u - 0.5, v - 0.5)
    return 0.36 < radius < 0.45 or abs(u - v) < 0.08 and radius < 0.3


def main():
    photos = {
        "ridge": (11, (120, 170, 220), (96, 120, 88)),
        "lake": (23, (150, 190, 225), (70, 110, 130)),
        "pass": (37, (110, 150, 210), (150, 150, 160)),
        "forest": (41, (170, 200, 190), (60, 100, 60)),
        "falls": (59, (140, 180, 200), (84, 104, 96)),
    }
    for name, (seed, sky, ground) in photos.items():
        write("app/assets", name, PHOTO_WIDTH, PHOTO_HEIGHT, landscape(seed, sky, ground))
    write("app/assets", "pin", ICON_SIZE, ICON_SIZE, icon((184, 102, 61), is_pin))
    write("app/assets", "pack", ICON_SIZE, ICON_SIZE, icon((61, 107, 79), is_pack))
    write("app/assets", "boots", ICON_SIZE, ICON_SIZE, icon((139, 144, 137), is_boot))
    write("versions/v3/assets", "compass", ICON_SIZE, ICON_SIZE, icon((38, 48, 43), is_compass))
    write("versions/v3/assets", "map", PHOTO_WIDTH, PHOTO_HEIGHT, landscape(71, (230, 225, 205), (200, 205, 170)))


if __name__ == "__main__":
    main()
