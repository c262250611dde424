"""`python -m swarmmind` is `swarmmind`."""

from swarmmind.cli import main

main()
