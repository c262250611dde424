"""A vLLM of one's own: found, started with the flags a swarm wants, watched, started again, and never left behind."""
