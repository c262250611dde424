"""A real vLLM whose KV cache is too small for what all groups of a swarm share: the order of sending decides."""

from __future__ import annotations

import pytest

from benchmarks.prefixes import Workload, turn
from tests.integration.vllm_server import Vllm

pytestmark = pytest.mark.integration


def test_what_a_group_shares_is_read_once(narrow_vllm: Vllm) -> None:
    work = Workload(narrow_vllm.base_url)  # heads of 24 times 7 blocks and what 64 requests need do not fit in 160
    shuffled, by_prefix = turn(work, 1, ordered=False), turn(work, 2, ordered=True)
    assert by_prefix.share >= 0.9
    assert by_prefix.share > shuffled.share + 0.1
    [served] = by_prefix.result.served
    assert served.prompt_tokens is not None
    assert served.cached_tokens == by_prefix.hits
    assert by_prefix.result.usage.cached_tokens == by_prefix.hits  # two ways of counting, of server and replies


def test_a_cold_fan_out_needs_no_leader(vllm: Vllm) -> None:
    work = Workload(vllm.base_url, groups=1, members=64)
    cold = turn(work, 3, ordered=True)
    assert cold.share >= 0.99  # vLLM keeps a block as soon as it is scheduled, also for others of the same step
