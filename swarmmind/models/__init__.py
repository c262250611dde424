"""What answers: one client of the chat-completions protocol, and models that are programs.

A worry is a layer: `limiter` holds a call back, `transports` carry it, `wire` writes and reads it, `retry` says what
may be tried again, `chat` strings them together, `cache` remembers across runs. `make` builds a model from its spec.
"""
