"""`python -m lvc` is the command line."""

import sys

from lvc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
