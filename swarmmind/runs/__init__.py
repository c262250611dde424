"""The composition root: from a task to a run in a folder, and to its result."""
