"""Which models, quantisers and entropy models go together: a table, each cell of which is tried."""

import numpy as np
import pytest

from lvc.codecs.family import model_names, open_codec
from lvc.errors import LvcError, ModelError, OptionError
from lvc.frames import symbols_digest
from tests.builders.small_models import OPTIONS, SMALL, checkpoint, moving_square

# Models by what their latents are.
BOUNDED = ("fc-vanilla", "fc-multilayer", "conv4", "vae", "resnet18")
KINDS = {
    "bounded": BOUNDED,
    "rounded": ("gdn-attention",),
    "hyperprior": ("gdn-attention+hyper",),
    "predicted": ("temporal",),
    "colours": ("temporal-palette",),
}
# "+": a group comes back. A letter: refused, and REASONS has the words.
TABLE = """
             raw adaptive factorised hyperprior prediction mixing
bounded
    none      +     F         F          F          M        M
    naive     +     +         Q          H          M        M
    scale     +     +         +          H          M        M
    kmeans    +     +         K          H          M        M
    round     N     N         N          N          M        M
    bits      +     +         Q          H          M        M
rounded
    none      +     F         F          F          M        M
    naive     B     B         B          B          M        M
    scale     +     +         Q          H          M        M
    kmeans    +     +         K          H          M        M
    round     +     +         +          P          M        M
    bits      B     B         B          B          M        M
hyperprior
    none      +     F         F          F          M        M
    naive     B     B         B          B          M        M
    scale     +     +         Q          H          M        M
    kmeans    +     +         K          H          M        M
    round     +     +         +          +          M        M
    bits      B     B         B          B          M        M
predicted
    none      +     F         F          F          R        M
    naive     B     B         B          B          R        M
    scale     +     +         Q          H          R        M
    kmeans    +     +         K          H          R        M
    round     +     +         T          P          +        M
    bits      B     B         B          B          R        M
colours
    none      C     C         C          C          C        R
    naive     C     C         C          C          C        R
    scale     C     C         C          C          C        R
    kmeans    C     C         C          C          C        R
    round     C     C         C          C          C        +
    bits      C     C         C          C          C        R
"""
REASONS = {
    "B": (OptionError, "needs latents of known bounds"),
    "C": (OptionError, "has colours for latents, which entropy mixing codes"),
    "F": (OptionError, "quantiser none keeps the bits of floats"),
    "H": (OptionError, "entropy hyperprior knows the spread of rounded latents"),
    "K": (OptionError, "entropy factorised cannot code kmeans"),
    "M": (OptionError, "comes with a model of its own"),
    "N": (OptionError, "quantiser round needs a model trained with its noise"),
    "P": (OptionError, "entropy hyperprior needs a model that has one"),
    "Q": (OptionError, "entropy factorised was learned for quantiser"),
    "R": (OptionError, "codes rounded latents; quantiser"),
    "T": (ModelError, "entropy factorised needs a learned prior"),
}


def cells():
    """Model, quantiser, entropy model and cell of the table, for every model of a kind."""
    heading, *rows = TABLE.strip("\n").split("\n")
    kind = ""
    for row in rows:
        if not row.startswith(" "):
            kind = row
            continue
        quantiser, *found = row.split()
        for entropy, cell in zip(heading.split(), found, strict=True):
            yield from ((name, quantiser, entropy, cell) for name in KINDS[kind])


CELLS = list(cells())


@pytest.fixture(scope="module")
def checkpoints():
    return {name: checkpoint(name) for name in OPTIONS}


def test_the_table_has_every_model_that_is_tried():
    assert {name for names in KINDS.values() for name in names} == set(OPTIONS)
    assert len(CELLS) == len(OPTIONS) * 6 * 6
    assert {name.removesuffix("+hyper") for name in OPTIONS} <= set(model_names())


@pytest.mark.parametrize(("name", "quantiser", "entropy", "cell"), [one for one in CELLS if one[3] != "+"])
def test_what_does_not_go_together_is_refused_with_the_reason(checkpoints, name, quantiser, entropy, cell):
    error, reason = REASONS[cell]
    with pytest.raises(LvcError, match=reason) as caught:
        open_codec(checkpoints[name], geometry=SMALL, quantiser={"name": quantiser}, entropy={"name": entropy})
    assert type(caught.value) is error and (quantiser in str(caught.value) or entropy in str(caught.value))


@pytest.mark.parametrize(("name", "quantiser", "entropy"), [one[:3] for one in CELLS if one[3] == "+"])
def test_a_group_decodes_to_what_was_coded(checkpoints, name, quantiser, entropy):
    frames = moving_square(5)
    codec = open_codec(checkpoints[name], geometry=SMALL, quantiser={"name": quantiser}, entropy={"name": entropy})
    coded = codec.encode_group(frames)
    latents, packets, digest = coded.latents, coded.packets, coded.digest
    assert codec.encode(latents).packets == coded.packets and codec.encode(latents).digest == coded.digest
    assert np.array_equal(codec.analyse(frames).symbols, latents.symbols)
    decoded = codec.decode(packets)
    assert np.array_equal(decoded.symbols, latents.symbols)
    assert np.array_equal(decoded.parameters, latents.parameters)
    assert symbols_digest(decoded.symbols) == digest
    pixels = codec.render(decoded)
    assert pixels.shape == frames.shape and str(pixels.dtype).removeprefix("torch.") == "uint8"
