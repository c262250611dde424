"""Worlds, suites and statistics: what a swarm is measured on and how."""
