"""What one agent call costs in other frameworks and here, on the same machine, endpoint and day.

    python -m benchmarks.peers [--only NAME ...] [--repeats 5] [--calls 1000]

Each peer lives in a virtual environment of its own under `.peers/`, and is driven by the module of its name here, which
needs nothing but that peer: a driver says how one agent is made and asked, `driver.py` how many of them do what.
"""
