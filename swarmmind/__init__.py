"""SwarmMind: run, measure and evolve populations of LLM agents from one file."""

__version__ = "0.1.0"
