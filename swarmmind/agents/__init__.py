"""Populations, and how one agent is asked: role cards to agents, asks to requests, texts to values."""
