"""The engine: one driver interprets what programs yield; it alone holds money, sockets, files, concurrency and time.

It knows the nouns of `effects` and the promises of `ports`, never a concrete model, topology or environment.
"""
