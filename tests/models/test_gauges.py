"""Reading what servers say of themselves, whatever they call it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmmind.models.gauges import Gauges, Snapshot, parse, read

PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 5.0
vllm:num_requests_running{engine="1",model_name="tiny"} 3.0
vllm:num_requests_waiting{engine="0",model_name="tiny"} 4.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="deferred"} 3.0
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
vllm:num_preemptions_total{engine="0"} 7.0
vllm:prefix_cache_queries_total{engine="0"} 1.24e+03
vllm:prefix_cache_queries_created{engine="0"} 1.7954005899445345e+09
vllm:prefix_cache_hits_total{engine="0"} 1000.0
vllm:request_success_total{finished_reason="stop"} 11.0
vllm:request_success_total{finished_reason="length"} 2.0
vllm:request_queue_time_seconds_bucket{le="0.3"} 13.0
vllm:request_queue_time_seconds_count 13.0
vllm:request_queue_time_seconds_sum 0.5
vllm:e2e_request_latency_seconds_sum 20.0
vllm:prompt_tokens_total 500.0
vllm:generation_tokens_total 90.0
vllm:cache_config_info{block_size="16",num_gpu_blocks="4096",odd="a \\"quoted\\" {brace}"} 1.0
"""


def test_a_page_of_vllm() -> None:
    seen = read(PAGE)
    assert seen is not None
    assert (seen.running, seen.waiting, seen.kv_used) == (8, 1, 0.75)  # those deferred do not wait for room
    assert (seen.preemptions, seen.succeeded, seen.prompt_tokens, seen.completion_tokens) == (7, 13, 500, 90)
    assert (seen.queried_tokens, seen.hit_tokens, seen.cached_tokens) == (1240, 1000, None)
    assert (seen.queue_seconds, seen.request_seconds) == (0.5, 20.0)
    assert seen.setup["num_gpu_blocks"] == "4096"
    assert seen.setup["odd"] == 'a "quoted" {brace}'


def test_older_names_and_counters_without_a_suffix_are_known() -> None:
    older = PAGE.replace("kv_cache_usage_perc", "gpu_cache_usage_perc").replace("_total{", "{")
    older = "".join(line for line in older.splitlines(keepends=True) if "by_reason" not in line)
    seen = read(older.replace("prefix_cache_", "gpu_prefix_cache_"))
    assert seen is not None
    assert (seen.waiting, seen.kv_used, seen.preemptions, seen.hit_tokens) == (4, 0.75, 7, 1000)


def test_a_page_that_does_not_say_what_runs_is_none() -> None:
    assert read("") is None
    assert read("<html>not found</html>") is None
    assert read('vllm:num_requests_running{engine="0"} 5.0') is None
    assert read(PAGE.replace("} 5.0", "} NaN").replace("} 3.0", "} +Inf")) is None


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    assert all(isinstance(value, float) for samples in parse(text).values() for _, value in samples)


def test_counters_of_a_run_outlive_a_restart_of_the_server() -> None:
    gauges = Gauges()
    assert gauges.since_first("preemptions") is None
    for preemptions, succeeded in ((5, 100), (9, 150), (1, 20), (4, 60)):  # the third is of a new process
        gauges.keep(Snapshot(1, 0, preemptions=preemptions, succeeded=succeeded))
    assert gauges.since_first("preemptions") == 4 + 4
    assert gauges.since_first("succeeded") == 50 + 60
    assert gauges.since_first("hit_tokens") is None
