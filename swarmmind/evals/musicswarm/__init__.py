"""MusicSwarm: a piece of music by one composer per bar, who hear only what is near (arXiv 2509.11973)."""

from swarmmind.evals.musicswarm.bars import Bar, coherence, entropy
from swarmmind.evals.musicswarm.environment import MusicSwarm
from swarmmind.evals.musicswarm.policy import POLICIES
from swarmmind.evals.musicswarm.prompt import Observation
from swarmmind.evals.musicswarm.smallworld import sigma

__all__ = ["POLICIES", "Bar", "MusicSwarm", "Observation", "coherence", "entropy", "sigma"]
