"""The command line, and what must be said before NumPy is loaded."""

import os

# The products that symbols are predicted with are small. Threads for them save nothing on an idle machine, and on a
# busy one they wait for each other, many times as long as the products take.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
