"""Writes lvc/kernels/hybrid_tables.h: the constant tables of the hybrid codec, so that no machine computes them.

Usage: python tools/make_hybrid_tables.py > lvc/kernels/hybrid_tables.h
"""

import math

SIZES = (4, 8, 16, 32)


def dct(n):
    return [
        [
            round(256 * math.sqrt((1 if k == 0 else 2) / n) * math.cos(math.pi * (2 * x + 1) * k / (2 * n)))
            for x in range(n)
        ]
        for k in range(n)
    ]


def dst7(n):
    return [
        [
            round(256 * math.sqrt(4 / (2 * n + 1)) * math.sin(math.pi * (2 * k + 1) * (x + 1) / (2 * n + 1)))
            for x in range(n)
        ]
        for k in range(n)
    ]


def identity(n):
    return [[256 if x == k else 0 for x in range(n)] for k in range(n)]


def flipped(rows):
    return [row[::-1] for row in rows]


def diagonal_scan(w, h):
    places = [(x, y) for y in range(h) for x in range(w)]
    places.sort(key=lambda p: (p[0] + p[1], p[0]))
    return [y * w + x for x, y in places]


def cubic(u, a=-0.6):
    return (a + 2) * u**3 - (a + 3) * u**2 + 1 if u < 1 else a * u**3 - 5 * a * u**2 + 8 * a * u - 4 * a


def emit(kind, name, values, per_line=16):
    values = list(values)
    print(f"static const {kind} {name}[{len(values)}] = {{")
    for i in range(0, len(values), per_line):
        print("  " + ", ".join(str(v) for v in values[i : i + per_line]) + ",")
    print("};")


def main():
    print("/* Constant tables of the hybrid codec. Written by tools/make_hybrid_tables.py; do not edit. */")
    print("#ifndef LVC_HYBRID_TABLES_H\n#define LVC_HYBRID_TABLES_H\n#include <stdint.h>")
    # stretch(p) = ln(p / (1 - p)) in 1/256, of a probability's upper 12 bits; squash is its inverse, in 1/65536.
    stretch = [round(256 * math.log((i + 0.5) / (4096 - i - 0.5))) for i in range(4096)]
    emit("int16_t", "stretch_table", [max(-2047, min(2047, s)) for s in stretch])
    squash = [65536 / (1 + math.exp(-(i - 2048) / 256)) for i in range(4096)]
    emit("uint16_t", "squash_table", [max(16, min(65520, round(s))) for s in squash])
    # Cost of an event of probability (i + 0.5) / 4096, in 1/4096 bit.
    emit("uint16_t", "cost_table", [min(65535, round(-4096 * math.log2((i + 0.5) / 4096))) for i in range(4096)])
    # Rate of an adaptive probability after n updates, in 1/65536.
    emit("uint16_t", "rate_table", [min(65535, round(65536 / (n + 1.6))) for n in range(256)])
    # How far an adaptive probability is trusted after n updates, in 1/256.
    emit("uint16_t", "confidence_table", [round(256 * (n + 0.6) / (n + 2.0)) for n in range(256)])
    # Quantiser step in 1/32 of a grey level, twelve to the octave.
    emit("uint16_t", "step_table", [round(32 * 2 ** (i / 12)) for i in range(97)])
    # Four-tap cubic interpolation at sixteenths of a sample, in 1/64.
    taps = []
    for k in range(16):
        row = [round(64 * cubic(abs(k / 16 - at))) for at in (-1, 0, 1, 2)]
        row[1 if k <= 8 else 2] += 64 - sum(row)
        taps.extend(row)
    emit("int16_t", "cubic_taps", taps, 4)
    offsets, flat = [], []
    for kind in (dct, dst7, lambda n: flipped(dst7(n)), identity):
        for n in SIZES:
            offsets.append(len(flat))
            for row in kind(n):
                flat.extend(row)
    emit("int16_t", "transform_matrix", flat)
    emit("uint16_t", "transform_offset", offsets)
    offsets, flat = [], []
    for w in SIZES:
        for h in SIZES:
            offsets.append(len(flat))
            flat.extend(diagonal_scan(w, h))
    emit("uint16_t", "scan_order", flat)
    emit("uint16_t", "scan_offset", offsets)
    print("#endif")


if __name__ == "__main__":
    main()
