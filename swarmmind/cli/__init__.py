"""The command line: parse, call, print."""

from swarmmind.cli.main import main

__all__ = ["main"]
