"""Textual backpropagation over layers of teams: Agentic Neural Networks, arXiv 2506.09046."""
