"""A decoder of palette groups in plain Python, made from docs/format/palette.md alone: it shows that the page is
complete. One bit after another, and slow: for small frames.
"""

import math

from tests.codecs.palette.plain_coding import (
    BitReader,
    Contexts,
    Numbers,
    content,
    hashed,
    joined,
    packed,
    place_of,
    scattered,
)

NONE = -1


class Group:
    """Decodes a group's packets into frames: lists of rows of colours 0xRRGGBB.

    height, width: multiples of 4. weights: arrays of a palette model by name, without `model.`.
    """

    def __init__(self, weights: dict, height: int, width: int):
        self.height, self.width = height, width
        self.rows, self.columns = height // 4, width // 4
        self.contexts = Contexts(weights)
        self.palette = list(weights.get("colours", ()))
        self.matches = list(weights.get("guesses", [0] * 3 * 65536))
        scenes = weights.get("scenes", ())
        suited = len(scenes) and len(scenes[0]) == height and len(scenes[0][0]) == width
        self.scenes = [Picture(scene) for scene in scenes] if suited else []
        self.pictures: list[Picture] = []
        self.sprites = Sprites(weights, height, width)
        self.background = None
        self.vectors, self.last_vectors, self.recent = [], [(0, 0, 0), (4, 0, 0)], []
        self.taken, self.last_taken = self._map(), self._map()
        self.coded, self.before, self.earlier = self._map(), self._map(), self._map()

    def _map(self) -> "Map":
        return Map(self.rows, self.columns)

    def decode(self, packets: list[tuple[int, bytes]]) -> list[list[list[int]]]:
        """packets: of each the frames that it holds, and its payload."""
        shown = []
        for count, payload in packets:
            self.contexts.reader = BitReader(payload)
            self.numbers = Numbers(self.contexts)
            for _ in range(count):
                shown.append(self._frame())
        return [[[self.palette[index] for index in row] for row in picture.pixels] for picture in shown]

    def _frame(self) -> "Picture":
        if not self.pictures and self.scenes and (number := self.numbers.unary(6, len(self.scenes))):
            self._first(self.scenes[number - 1])
        self.key = not self.pictures
        if self.key:
            self.prediction = Picture([[NONE] * self.width for _ in range(self.height)])
            self.coded = Map(self.rows, self.columns, 1)
        else:
            self.sprites.update(self.contexts)
            self.background = self.sprites.drawn()
            self._tell_vectors()
            self._take_vectors()
            self._tell_coded()
        if any(map(any, self.coded.blocks)):
            if self.numbers.unary(5, 1):
                self.palette += [self.numbers.uniform(24) for _ in range(self.numbers.uniform(12) + 1)]
            assert 0 < len(self.palette) <= 4096
        picture = self._pixels()
        if self.key:
            self._first(picture)
        else:
            told = self.vectors[2:]
            self.recent = (told + [vector for vector in self.recent if vector not in told])[:8]
            self.sprites.learn(picture, self.pictures[-1])
            self.pictures.append(picture)
            self.earlier, self.before = self.before, self.coded
            self.last_taken, self.last_vectors = self.taken, self.vectors
        return picture

    def _first(self, picture: "Picture") -> None:
        self.pictures.append(picture)
        self.sprites.background = picture.copy()
        self.background = picture

    # Motion

    def _tell_vectors(self) -> None:
        told: list[tuple[int, int, int]] = []
        for _ in range(self.numbers.unary(0, 15)):
            left = [vector for vector in self.recent if vector not in told]
            place = self.numbers.unary(1, len(left))
            if place < len(left):
                vector = left[place]
            else:
                vector = self.numbers.unary(2, 3), self.numbers.signed(3), self.numbers.signed(4)
            assert vector[0] < len(self.pictures) and max(map(abs, vector[1:])) <= 64
            assert vector != (0, 0, 0) and vector not in told
            told.append(vector)
        self.vectors = [(0, 0, 0), (4, 0, 0), *told]

    def _block(self, number: int, row: int, column: int) -> list[list[int]]:
        """What a vector shows of a block."""
        back, across, down = self.vectors[number]
        picture = self.background if back == 4 else self.pictures[-1 - back]
        rows = [min(max(4 * row + y + down, 0), self.height - 1) for y in range(4)]
        columns = [min(max(4 * column + x + across, 0), self.width - 1) for x in range(4)]
        return [[picture.pixels[y][x] for x in columns] for y in rows]

    def _take_vectors(self) -> None:
        self.taken = self._map()
        told, moved_above = len(self.vectors) - 2, False
        for row in range(self.rows):
            goes_on = moved_above or any(self.last_taken.blocks[row]) or any(self.before.blocks[row])
            if goes_on or self.contexts.alone(1024 + min(told, 7), 255):
                for column in range(self.columns):
                    blocks = [self._block(number, row, column) for number in range(len(self.vectors))]
                    if any(block != blocks[0] for block in blocks):
                        self.taken.blocks[row][column] = self._taken(row, column, blocks)
            moved_above = any(self.taken.blocks[row])
        self.prediction = self.pictures[-1].copy()
        for row in range(self.rows):
            for column in range(self.columns):
                for y, line in enumerate(self._block(self.taken.at(row, column), row, column)):
                    self.prediction.pixels[4 * row + y][4 * column : 4 * column + 4] = line

    def _taken(self, row: int, column: int, blocks: list) -> int:
        contents = [content(block) for block in blocks]
        last = self.last_vectors[self.last_taken.at(row, column)]
        last = self.vectors.index(last) if last in self.vectors else None
        west, north = self.taken.at(row, column - 1), self.taken.at(row - 1, column)
        candidates: list[int] = []
        for number in (west, north, self.taken.at(row - 1, column + 1), 0, last, *range(len(blocks))):
            if number is not None and contents[number] not in [contents[other] for other in candidates]:
                candidates.append(number)
        flat = is_flat(blocks[0])
        now = self.before.at(row, column)
        around = sum(self.before.at(row + y, column + x) for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0)))
        for rank, number in enumerate(candidates[:-1]):
            c = contents[number]

            def has(y, x, c=c):
                return contents[self.taken.at(row + y, column + x)] == c

            w, n, still, plain = has(0, -1), has(-1, 0), number == 0, is_flat(blocks[number])
            beside = place_of(w, n, has(-1, -1), has(-1, 1), still)
            turn, many = min(rank, 3), min(len(blocks) - 2, 3)
            before = 0 if last is None else 1 + (contents[last] == c)
            back, across, down = self.vectors[number]
            alike = contents[west] == contents[north], contents[west] == contents[0], contents[north] == contents[0]
            patterns = (
                place_of((beside, 5), (turn, 2), (before, 2), (many, 2), plain),
                place_of(w, n, still, (min(len(candidates) - 2, 3), 2), (turn, 2), *alike, plain, flat),
                place_of((min(number, 15), 4), (w + n, 2), (before, 2), plain, flat, now),
                place_of((beside, 5), has(0, -2), has(-2, 0), now, (min(around, 3), 2), plain, flat),
            )
            colours = (
                scattered(place_of(w, n, (back, 3), (across + 64, 9), (down + 64, 9)), 12),
                scattered(place_of(still, (row >> 1, 16), (column >> 1, 16)), 12),
                scattered(c + w + 2 * n, 12),
                scattered(3 * c + contents[0], 12),
            )
            rows = place_of(w, n, still, plain), 16 + place_of((turn, 2), (many, 2))
            if self.contexts.mixed((5120, 4096, patterns), (713728, 4096, colours), rows):
                return number
        return candidates[-1]

    # Coded-block flags

    def _tell_coded(self) -> None:
        self.coded = self._map()
        names = ("full", "moving", "unsettled", "moved")
        facts = {name: self._map() for name in names} | {"before": self.before, "earlier": self.earlier}
        for row in range(self.rows):
            for column in range(self.columns):
                block = self.prediction.block(row, column)
                found = (
                    not is_flat(block),
                    block != self.pictures[-1].block(row, column),
                    block != self.background.block(row, column),
                    self.taken.at(row, column) != 0,
                )
                for name, fact in zip(names, found):
                    facts[name].blocks[row][column] = int(fact)
        any_above = 0
        for row in range(self.rows):
            active = [self._is_active(facts, row, column) for column in range(self.columns)]
            any_coded = 0
            if not all(active):
                any_coded = self.contexts.alone(1032 + any_above, 1000)
            any_above = any_coded
            for column in range(self.columns):
                beside = self.coded.at(row, column - 1) or self.coded.at(row, column - 2)
                if active[column] or beside:
                    bit = self._is_coded(facts, row, column)
                elif any_coded:
                    full = facts["full"]
                    sides = any(full.at(row + y, column + x) for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0)))
                    bit = self.contexts.alone(5112 + place_of(full.at(row, column), sides), 1000)
                else:
                    bit = 0
                self.coded.blocks[row][column] = bit

    def _is_active(self, facts: dict, row: int, column: int) -> bool:
        """Whether a block is in no skip context, as far as is known before its row."""
        if any(facts[name].at(row, column) for name in ("moving", "unsettled", "moved", "before", "earlier")):
            return True
        for y, x in ((0, -1), (0, 1), (-1, 0), (1, 0)):
            if any(facts[name].at(row + y, column + x) for name in ("unsettled", "moved", "before")):
                return True
        if any(self.before.at(row + y, column + x) for y in (-1, 1) for x in (-1, 1)):
            return True
        return any(self.coded.at(row + y, column + x) for y, x in ((-1, -1), (-1, 0), (-1, 1), (-2, 0)))

    def _is_coded(self, facts: dict, row: int, column: int) -> int:
        def of(name, *where):
            return [facts[name].at(row + y, column + x) for y, x in where]

        west, east, north, south = (0, -1), (0, 1), (-1, 0), (1, 0)
        here, sides = (0, 0), (west, east, north, south)
        w, n, nw, ne = (self.coded.at(row + y, column + x) for y, x in (west, north, (-1, -1), (-1, 1)))
        full, moving, unsettled, moved = (of(name, here)[0] for name in ("full", "moving", "unsettled", "moved"))
        before, earlier = self.before.at(row, column), self.earlier.at(row, column)
        around = place_of(w, n, nw, ne)
        far = self.coded.at(row, column - 2), self.coded.at(row - 2, column)
        later = of("before", east, (1, -1), south, (1, 1))
        beside = sum(of("before", *sides))
        corners = sum(of("before", (-1, -1), (-1, 1), (1, -1), (1, 1)))
        patterns = (
            place_of((around, 4), before, earlier, moving, full, unsettled, moved, *far),
            place_of((around, 4), *later, before, earlier, full, unsettled),
            place_of(w, n, *of("moved", *sides), moved, *of("full", *sides), full),
            place_of(w, n, unsettled, *of("unsettled", *sides), full, before, (min(beside, 3), 2), moved),
            place_of((w + n + nw + ne, 3), (beside, 3), (corners, 3), before, earlier, full),
        )
        block = self.prediction.block(row, column)
        colours = (
            (row * self.columns + column) % 4096,
            scattered(block[1][1] | place_of(w, n, before) << 16 | block[2][2] << 32, 12),
            scattered(content(block), 12),
        )
        rows = 32 + around, 48 + place_of(before, earlier, full, moved, unsettled)
        return self.contexts.mixed((21504, 4096, patterns), (730112, 4096, colours), rows)

    # Pixels

    def _pixels(self) -> "Picture":
        picture = self.prediction.copy()
        self.unknown = {(y, x) for y in range(self.height) for x in range(self.width) if self.coded.at(y // 4, x // 4)}
        for y in range(self.height):
            for x in range(self.width):
                if (y, x) in self.unknown:
                    picture.pixels[y][x] = self._pixel(picture, y, x)
                    self.unknown.discard((y, x))
        return picture

    def _pixel(self, picture: "Picture", y: int, x: int) -> int:
        a = self._around(picture, y, x)
        m1 = scattered(joined(packed(a["W"], a["N"], a["NW"], a["NE"]), packed(a["WW"], a["NN"], a["P"], 0)), 16)
        match = self.matches[m1]
        confidence = match >> 16
        likely = context = None
        run = a["W"] != NONE and a["W"] == a["N"]
        if run and all(a[name] in (NONE, a["W"]) for name in ("NE", "NW", "WW", "NN", "P", "B")):
            likely = a["W"]
            context = 4096 + place_of(*(a[name] == likely for name in ("NNE", "NEE", "NWW", "NNW")))
            if not self.key:
                context += 16 * place_of(1, a["E"] == likely, a["S"] == likely, a["kE"], a["kS"])
        elif self.key and confidence >= 12:
            run, likely = False, (match & 0xFFFF) - 1
            length = min(int(math.log2(confidence)), 7)
            context = 2048 + place_of((length, 3), a["W"] == likely, a["N"] == likely)
        if context is not None and self.contexts.alone(context, 1000):
            if context < 4096 and confidence < 255:
                self.matches[m1] += 1 << 16
            return likely
        places = (
            m1,
            65536 + scattered(joined(packed(a["W"], a["N"], a["NW"], a["NE"]), a["P"] + 1), 16),
            131072 + scattered(joined(packed(a["P"], a["PW"], a["PE"], a["PN"]), packed(a["PS"], a["W"], 0, 0)), 16),
        )
        for number, place in enumerate(places, 1):
            a[f"M{number}"] = (self.matches[place] & 0xFFFF) - 1
            a[f"c{number}"] = min(self.matches[place] >> 16, 3)
        colour = self._offered(a, places, likely, y, x)
        for place in places:
            match = self.matches[place]
            if match & 0xFFFF == colour + 1:
                self.matches[place] += (match >> 16 < 255) << 16
            elif match >> 16 >= 2:
                self.matches[place] = match & 0xFFFF | (match >> 17) << 16
            else:
                self.matches[place] = colour + 1
        return colour

    def _around(self, picture: "Picture", y: int, x: int) -> dict[str, int]:
        steps = {"W": (0, -1), "N": (-1, 0), "NW": (-1, -1), "NE": (-1, 1), "WW": (0, -2), "NN": (-2, 0)}
        steps |= {"NNE": (-2, 1), "NWW": (-1, -2), "NNW": (-2, -1), "NEE": (-1, 2)}
        after = {"E": (0, 1), "S": (1, 0), "SE": (1, 1), "SW": (1, -1)}
        a = {name: picture.at(y + dy, x + dx) for name, (dy, dx) in (steps | after).items()}
        a |= {f"k{name}": int((y + dy, x + dx) not in self.unknown) for name, (dy, dx) in after.items()}
        for name in ("W", "N", "E", "S", "NW", "NE"):
            dy, dx = (steps | after)[name]
            a[f"P{name}"] = self.prediction.at(y + dy, x + dx)
        a["P"] = self.prediction.at(y, x)
        if self.key:
            a |= {"B": NONE, "L": NONE, "Z": NONE}
        else:
            a["B"], a["L"] = self.background.at(y, x), self.pictures[-1].at(y, x)
            a["Z"] = self.pictures[max(0, len(self.pictures) - 2)].at(y, x)
        return a

    def _offered(self, a: dict[str, int], places: tuple, refused: int | None, y: int, x: int) -> int:
        weights = [("W", 5), ("N", 5), ("NW", 2), ("NE", 3), ("WW", 2), ("NN", 2), ("P", 6), ("B", 3)]
        weights += [("L", 2), ("Z", 2), ("NNE", 1), ("NWW", 1), ("NEE", 1)]
        weights += [(name, (3 if name in "ES" else 2) if a[f"k{name}"] else 1) for name in ("E", "S", "SE", "SW")]
        weights += [("M1", 4 * a["c1"] + 3), ("M2", 3 * a["c2"] + 2), ("M3", 4 * a["c3"] + 2)]
        sums: dict[int, int] = {}
        for name, weight in weights:
            if a[name] != NONE:
                sums[a[name]] = sums.get(a[name], 0) + weight
        found = list(sums.items())
        for rank in range(min(len(found), 6)):
            best = max(range(rank, len(found)), key=lambda place: (found[place][1], -place))
            found[rank], found[best] = found[best], found[rank]
            if found[rank][0] != refused and self._has(a, places, found, rank, y, x):
                return found[rank][0]
        return self._index(a, [colour for colour, _ in found])

    def _has(self, a: dict[str, int], places: tuple, found: list, rank: int, y: int, x: int) -> int:
        (c, score), turn, key = found[rank], min(rank, 3), self.key
        following = max((weight for _, weight in found[rank + 1 :]), default=0)
        is_c = {name: int(value == c) for name, value in a.items()}
        w, n, p, b, e, s, m1, m3 = (is_c[name] for name in ("W", "N", "P", "B", "E", "S", "M1", "M3"))
        cross = place_of(w, n, is_c["NW"], is_c["NE"])

        def alike(*pairs):
            return [a[one] == a[other] for one, other in pairs]

        of_matches = [(is_c[f"M{number}"] * (1 + a[f"c{number}"]), 3) for number in (1, 2, 3)]
        ranks_before = [colour for colour, _ in found[:rank]]
        refused = place_of(*(a[name] in ranks_before for name in ("W", "N", "P", "E", "S", "M1")))
        in_picture = ("W", "N"), ("NW", "N"), ("NW", "W"), ("NE", "N"), ("WW", "W"), ("NN", "N")
        predicted = ("W", "PW"), ("N", "PN"), ("NW", "PNW"), ("NE", "PNE")
        further = (is_c[name] for name in ("NNE", "NWW", "NNW", "NEE"))
        corners = is_c["SE"], is_c["SW"], a["kE"], a["kS"], a["kSE"], a["kSW"]
        known = a["kE"], a["kS"]
        patterns = (
            place_of((cross, 4), p, b, is_c["WW"], is_c["NN"], (turn, 2), key, e, s, *known, is_c["L"]),
            place_of((cross, 4), *alike(*in_picture), (turn, 2), key, p, *alike(("P", "W"), ("P", "N"))),
            place_of(*of_matches, (turn, 2), w, n, p, a["c1"] > 0, a["c2"] > 0),
            place_of(p, b, w, n, *alike(*predicted), (turn, 2), is_c["L"], is_c["Z"], key, *known, *alike(("P", "B"))),
            place_of(p, e, s, *corners, w, n, (turn, 2), b, *alike(("E", "S")), key),
            place_of((x % 4, 2), (y % 4, 2), (min(len(found), 7), 3), (turn, 2), w, n, p, (min(score >> 2, 7), 3), key),
            place_of((cross, 4), is_c["WW"], is_c["NN"], *further, p, (turn, 2), key, m1, m3),
            place_of((min(score, 31), 5), (min(following, 31), 5), (turn, 2), key, p, w, n),
            place_of((refused, 6), (turn, 2), w, n, p, e, s, m1, b, key),
        )

        def of(*names):
            return place_of(*((c + 1 if name == "c" else a[name] + 1, 13) for name in names))

        colours = (
            scattered(of("c", "W", "N"), 16),
            scattered(of("c", "W", "P"), 16),
            scattered(joined(of("c", "W", "N"), of("NW", "NE")), 16),
            scattered(of("c", "P") | refused << 26, 16),
            scattered(joined(of("c", "W", "N"), of("P", "E", "S")), 16),
            scattered(of("c") | places[0] << 13, 16),
            scattered(of("c") | places[2] << 13, 16),
            scattered(of("c", "P", "B") | key << 40, 16),
            scattered(of("c") | (y >> 1) << 13 | (x >> 1) << 32, 16),
            place_of((turn, 2), key, (c, 13)),
        )
        rows = 80 + place_of((turn, 2), key), 88 + place_of(w, n, p, b, m1, m3, key)
        return self.contexts.mixed((41984, 65536, patterns), (742400, 65536, colours), rows)

    def _index(self, a: dict[str, int], candidates: list[int]) -> int:
        colours = len(self.palette)
        depth = max(1, (colours - 1).bit_length())
        c0, c1 = ([*candidates[:2], candidates[0]] if candidates else [0, 0])[:2]
        node, low, high = 1, 0, 1 << depth
        for level in reversed(range(depth)):
            middle = low + (1 << level)
            if middle >= colours:
                node, high = 2 * node, middle
                continue

            def half(colour, low=low, middle=middle, high=high):
                return 0 if colour < low else 1 if colour < middle else 2 if colour < high else 3

            halves = (half(c0), 2), (half(c1), 2)
            share = (4 * (min(colours, high) - middle) - 1) >> level
            patterns = (
                place_of(*halves, (half(a["P"]), 2), (min(level, 7), 3), (min(depth, 7), 3)),
                place_of(*halves, (min(level, 15), 4), (share, 2), c0 == c1),
            )
            west, north, here = (a["W"] + 1) << 13, (a["N"] + 1) << 26, (a["P"] + 1) << 39
            keys = node | west, node | here, node | west | north, node | west | here
            own = (node, *(scattered(key, 14) for key in keys))
            rows = 216 + min(level, 15), 232 + place_of(*halves)
            if self.contexts.mixed((631808, 16384, patterns), (1397760, 16384, own), rows):
                node, low = 2 * node + 1, middle
            else:
                node, high = 2 * node, middle
        return low


def is_flat(block: list[list[int]]) -> bool:
    return len({index for line in block for index in line}) == 1


class Map:
    """A number for each block, 0 outside."""

    def __init__(self, rows: int, columns: int, value: int = 0):
        self.blocks = [[value] * columns for _ in range(rows)]

    def at(self, row: int, column: int) -> int:
        inside = 0 <= row < len(self.blocks) and 0 <= column < len(self.blocks[0])
        return self.blocks[row][column] if inside else 0


class Picture:
    """Palette indices, -1 outside."""

    def __init__(self, pixels):
        self.pixels = [list(map(int, row)) for row in pixels]

    def copy(self) -> "Picture":
        return Picture(self.pixels)

    def at(self, y: int, x: int) -> int:
        return self.pixels[y][x] if 0 <= y < len(self.pixels) and 0 <= x < len(self.pixels[0]) else NONE

    def block(self, row: int, column: int) -> list[list[int]]:
        return [line[4 * column : 4 * column + 4] for line in self.pixels[4 * row : 4 * row + 4]]


class Sprite:
    def __init__(self, bitmap: int, y: int, x: int, times: int):
        self.bitmap, self.y, self.x, self.times = bitmap, y, x, times
        self.age = self.down = self.across = self.still = 0
        self.history = 1

    @property
    def settled(self) -> bool:
        return self.still >= (1 if self.times == 0 else 4)


class Sprites:
    """The sprite table, bitmaps (rows of palette indices, -1 for holes; None for none), and what is behind them."""

    def __init__(self, weights: dict, height: int, width: int):
        self.height, self.width = height, width
        self.bitmaps: list = [None] * 384
        for number, (pixels, size) in enumerate(zip(weights.get("sprites", ()), weights.get("sizes", ()))):
            rows, columns = map(int, size)
            self.bitmaps[number] = [[int(index) for index in row[:columns]] for row in pixels[:rows]] if rows else None
        self.table: list[Sprite] = []
        self.own, self.background, self.owned = 0, None, set()

    # Coding

    def _symbol(self, kind: int, bits: int, facts: tuple) -> int:
        common, also, own, other = facts
        node = 1
        for place in range(bits):
            h = hashed(kind, node)
            patterns = h, hashed(h, common), hashed(h, hashed(common, also))
            colours = hashed(h, own), hashed(h, other), hashed(h, hashed(own, common))
            rows = 248 + kind, 264 + min(place, 7)
            contexts = [(at, 16384, [one % 16384 for one in of]) for at, of in ((664576, patterns), (1479680, colours))]
            node = 2 * node + self.contexts.mixed(*contexts, rows)
        return node - (1 << bits)

    def _step(self, kind: int, facts: tuple) -> int:
        if not self._symbol(kind, 1, facts):
            return 0
        back = self._symbol(kind, 1, further(facts, 1))
        size = 1 + self._symbol(kind, 5, further(facts, 2 + back))
        return -size if back else size

    def _bitmap(self, kind: int, facts: tuple) -> int:
        if not self._symbol(kind, 1, facts):
            return self._symbol(kind, 8, further(facts, 2))
        later = self._symbol(kind, 7, further(facts, 1))
        return 256 + (self.own - 1 - later) % 128

    def update(self, contexts: Contexts) -> None:
        self.contexts = contexts
        before = 0
        for number, sprite in enumerate(self.table):
            if number == 0 or self.table[number - 1].history >> 1 != sprite.history:
                before = 0
            before = self._known(sprite, before)
        found = last = 0
        while self._symbol(5, 1, (min(found, 3), 0, min(len(self.table), 15), last)):
            bitmap = self._bitmap(6, (0, 0, last, 0))
            y = self._symbol(7, max(1, (self.height - 1).bit_length()), (0, 0, bitmap, last))
            x = self._symbol(8, max(1, (self.width - 1).bit_length()), (0, 0, hashed(bitmap, y), y))
            self._check(bitmap, y, x)
            self._enter(Sprite(bitmap, y, x, 1))
            found, last = found + 1, bitmap + 1

    def _known(self, sprite: Sprite, before: int) -> int:
        """Codes what becomes of a sprite; gives what the next one knows of it."""
        history, bitmap, age = sprite.history, sprite.bitmap, min(sprite.age, 7)
        t = place_of((min(sprite.times, 2), 2), (min(sprite.still, 3), 2))
        place, last = hashed(sprite.y, sprite.x), hashed(sprite.down, sprite.across)
        facts = hashed(history, t), before, hashed(bitmap, history & 7), hashed(place, history & 3)
        seen = self._symbol(0, 1, facts)
        sprite.history = (2 * history + seen) & 63
        before = ((2 * before + seen) & 3) + 4
        if not seen:
            sprite.age += 1
            return before
        facts = hashed(last, min(age, 1)), hashed(t, age), hashed(place, last), hashed(bitmap, age)
        down = self._step(1, facts)
        facts = (
            hashed(last, down),
            hashed(t, age),
            hashed(hashed(place, last), down),
            hashed(hashed(bitmap, age), down),
        )
        across = self._step(2, facts)
        going = hashed((down > 0) - (down < 0) + 1, (across > 0) - (across < 0) + 1)
        facts = hashed(going, history & 3), t, hashed(bitmap, going), bitmap
        shown = bitmap if self._symbol(3, 1, facts) else self._bitmap(4, facts)
        sprite.y, sprite.x = sprite.y + down, sprite.x + across
        self._check(shown, sprite.y, sprite.x)
        if down == across == sprite.age == 0 and shown == bitmap:
            sprite.still += 1
        else:
            sprite.still, sprite.times = 0, min(sprite.times + 1, 3)
        sprite.bitmap, sprite.age, sprite.down, sprite.across = shown, 0, down, across
        return before

    def _check(self, bitmap: int, y: int, x: int) -> None:
        assert self.bitmaps[bitmap] is not None and 0 <= y < self.height and 0 <= x < self.width

    def _enter(self, sprite: Sprite) -> None:
        if len(self.table) == 48:
            del self.table[max(range(48), key=lambda number: (self.table[number].age, -number))]
        self.table.append(sprite)

    # Pictures

    def drawn(self) -> Picture:
        self.picture, self.owned = self.background.copy(), set()
        for sprite in self.table:
            if sprite.age or not sprite.history & 1:
                continue
            for y, row in enumerate(self.bitmaps[sprite.bitmap], sprite.y):
                for x, index in enumerate(row, sprite.x):
                    if index != NONE and y < self.height and x < self.width:
                        self.picture.pixels[y][x] = index
                        (self.owned.discard if sprite.settled else self.owned.add)((y, x))
        return self.picture

    def learn(self, picture: Picture, last: Picture) -> None:
        marked = set()
        for y in range(self.height):
            for x in range(self.width):
                index, owned = picture.at(y, x), (y, x) in self.owned
                if index == self.background.at(y, x) or (owned and index == self.picture.at(y, x)):
                    continue
                if index == last.at(y, x) and not owned:
                    self.background.pixels[y][x] = index
                else:
                    marked.add((y, x))
        for first in sorted(marked):
            if first not in marked:
                continue
            part, count = [first], 1
            marked.discard(first)
            for y, x in part:  # which grows meanwhile
                for place in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
                    if place in marked:
                        marked.discard(place)
                        count += 1
                        if count <= 256:
                            part.append(place)
            top, bottom = min(y for y, _ in part), max(y for y, _ in part)
            west, east = min(x for _, x in part), max(x for _, x in part)
            if 6 <= count <= 256 and bottom - top < 16 and east - west < 16:
                rows = [[NONE] * (east - west + 1) for _ in range(bottom - top + 1)]
                for y, x in part:
                    rows[y - top][x - west] = picture.at(y, x)
                self._learn_bitmap(rows, top, west)
        self.table = [one for one in self.table if not one.settled and one.age <= (3 if one.times == 0 else 12)]

    def _learn_bitmap(self, rows: list, top: int, west: int) -> None:
        own = 256 + self.own % 128
        self.table = [sprite for sprite in self.table if sprite.bitmap != own]
        self.bitmaps[own] = None
        if rows in self.bitmaps:
            own = self.bitmaps.index(rows)
        else:
            self.bitmaps[own] = rows
            self.own += 1
        self._enter(Sprite(own, top, west, 0))


def further(facts: tuple, number: int) -> tuple:
    return tuple(hashed(fact, number) for fact in facts)
