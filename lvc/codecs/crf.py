"""The quality levels of models of many rates."""

CRF_LEVELS = 64  # from 0, the best
DEFAULT_CRF = 32
