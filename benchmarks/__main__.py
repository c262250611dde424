"""All benchmarks that need nothing but this package, one after the other."""

import sys

from benchmarks import (
    agents_10k,
    client_call,
    macnet,
    memory_field,
    memory_vectors,
    swarmbench_baselines,
    swarmbench_step,
)

for benchmark in (swarmbench_step, swarmbench_baselines, client_call, memory_field, memory_vectors, macnet, agents_10k):
    print(f"\n# {benchmark.__name__}\n", flush=True)
    sys.argv = [benchmark.__name__]
    benchmark.main()
