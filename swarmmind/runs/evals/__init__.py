"""Evals: one task played as many arms, on many instances, with several seeds, in one run's folder."""
