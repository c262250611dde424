"""The specs' experiments, by name: `python -m tests.acceptance [NAME]`."""
