"""What survives of the candidates that were evaluated: a beam, Pareto fronts, a grid, or a swarm."""
