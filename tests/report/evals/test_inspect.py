"""Logs for Inspect, read by Inspect's own reader, its models and its metrics; nothing is fetched for that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from inspect_ai.log import (
    EvalLog,
    list_eval_logs,
    read_eval_log,
    read_eval_log_sample,
    read_eval_log_sample_summaries,
    recompute_metrics,
    write_eval_log,
)

from swarmmind.effects import Agent, Message, Reply, Usage
from swarmmind.evals.record import MANIFEST, Episode, Instance, Played, Recorded
from swarmmind.report import export
from swarmmind.runtime.journal import Journal, Timing
from tests.report import runs

from . import evals


@pytest.fixture
def quiz(tmp_path: Path) -> tuple[Path, Recorded, list[Path]]:
    """Its folder, what was played, and its logs: each episode of two agents who are asked twice."""
    recorded = evals.dice(evals.manifest(6, 2), missing=7)
    folder = evals.written(tmp_path / "run", recorded, talk=4)
    return folder, recorded, export(folder, "inspect")


def test_inspect_lists_a_log_for_every_row(quiz: tuple[Path, Recorded, list[Path]]):
    folder, recorded, logs = quiz
    assert [path.parent for path in logs] == [folder / "inspect"] * 6
    listed = list_eval_logs(str(folder / "inspect"))
    assert sorted(Path(info.name.removeprefix("file://")) for info in listed) == sorted(logs)
    assert {info.task for info in listed} == {"quiz"}
    arms = [read_eval_log(str(path), header_only=True).eval for path in logs]
    assert [(one.metadata or {})["arm"] for one in arms] == [arm.id for arm in recorded.manifest.arms]
    assert arms[0].model == "vllm/tiny"
    assert arms[0].task_args == {"swarm.topology": "debate"}
    assert (arms[0].dataset.samples, arms[0].config.epochs) == (6, 2)


def test_every_episode_that_was_played_is_a_sample(quiz: tuple[Path, Recorded, list[Path]]):
    _, recorded, logs = quiz
    for arm, path in zip(recorded.manifest.arms, logs, strict=True):
        rows = [row for row in recorded.rows() if row.arm is arm]
        log = read_eval_log(str(path))
        assert log.results is not None
        assert log.status == ("success" if all(row.played for row in rows) else "cancelled")
        played = {(row.instance.id, row.seed - 6): row.played for row in rows if row.played is not None}
        found = {(str(sample.id), sample.epoch): sample for sample in log.samples or []}
        assert found.keys() == played.keys()
        assert log.results.total_samples == len(rows) == 12
        assert log.results.completed_samples == sum(one.score is not None for one in played.values())
        for place, sample in found.items():
            one = played[place]
            scores = {name: score.value for name, score in (sample.scores or {}).items()}
            assert scores == ({} if one.score is None else {"score": one.score})
            assert (sample.error and sample.error.message) == (one.error or None)
            assert (sample.output.completion, sample.total_time) == (one.output, one.seconds)
            assert sample.metadata["seed"] == place[1] + 6
        summaries = read_eval_log_sample_summaries(str(path))
        assert {(one.id, one.epoch) for one in summaries} == found.keys()
        assert sum(one.error is not None for one in summaries) == sum(one.score is None for one in played.values())


def test_inspect_comes_to_the_same_metrics(quiz: tuple[Path, Recorded, list[Path]]):
    _, _, logs = quiz
    for path in logs:
        log = read_eval_log(str(path))
        assert log.results is not None
        ours = {name: metric.value for name, metric in log.results.scores[0].metrics.items()}
        scored = log.results.scores[0].scored_samples
        reduced = [(one.sample_id, one.value) for one in (log.reductions or [])[0].samples]
        recompute_metrics(log)
        theirs = log.results.scores[0]
        assert theirs.metrics.keys() == ours.keys() == {"mean", "stderr"}
        assert {name: metric.value for name, metric in theirs.metrics.items()} == pytest.approx(ours, abs=1e-12)
        assert theirs.scored_samples == scored
        assert sorted((one.sample_id, one.value) for one in (log.reductions or [])[0].samples) == sorted(reduced)


def test_its_own_models_write_the_same_again(quiz: tuple[Path, Recorded, list[Path]], tmp_path: Path):
    log = read_eval_log(str(quiz[2][0]))
    write_eval_log(log, str(tmp_path / "again.eval"))
    again = read_eval_log(str(tmp_path / "again.eval"))
    assert again.model_dump(exclude={"location"}) == log.model_dump(exclude={"location"})
    assert EvalLog.model_validate_json(log.model_dump_json()).eval == log.eval


def test_what_agents_said_is_a_samples_messages(quiz: tuple[Path, Recorded, list[Path]]):
    sample = read_eval_log_sample(str(quiz[2][0]), "sums-0", 2)
    label = "p0sums.sums-0.8"
    told = [(one.role, one.text, (one.metadata or {})["agent"]) for one in sample.messages]
    assert told == [
        ("system", "You are worker-0.", "worker-0"), ("user", f"{label}, ask 0", "worker-0"),
        ("assistant", "reply 0", "worker-0"),
        ("system", "You are worker-1.", "worker-1"), ("user", f"{label}, ask 0", "worker-1"),
        ("assistant", "reply 1", "worker-1"),
        ("user", f"{label}, ask 1", "worker-0"), ("assistant", "reply 2", "worker-0"),
        ("user", f"{label}, ask 1", "worker-1"), ("assistant", "reply 3", "worker-1"),
    ]  # fmt: skip
    usage = sample.model_usage["vllm/tiny"]
    assert (usage.input_tokens, usage.input_tokens_cache_read, usage.output_tokens) == (400, 1200, 80)
    assert (usage.total_tokens, usage.total_cost) == (1680, pytest.approx(0.0004))
    header = read_eval_log(str(quiz[2][0]), header_only=True)
    played = len(read_eval_log_sample_summaries(str(quiz[2][0])))
    assert header.stats.model_usage["vllm/tiny"].total_tokens == 1680 * played


def histories(folder: Path, replies: list[Reply], label: str = "p.i.1") -> Path:
    """An eval of one episode in which one agent's history grows with each reply."""
    agent = Agent("a", "worker", model="m")
    given = evals.manifest(1, 1, evals.ARMS[:1])
    given = type(given)("one", given.arms, given.cases[:1], [Instance("i", "sums")], [1], {"debate sums": "p"})

    def write(kept: Journal) -> Iterator[None]:
        history = [Message("user", "question 0")]
        for number, reply in enumerate(replies):
            runs.exchange(kept, f"run/1/{label}/{number}/a", agent, history, reply)
            history += [Message("assistant", reply.text or ""), Message("user", f"question {number + 1}")]
        runs.exchange(kept, f"run/1/{label}0/1/a", agent, [Message("user", "of another episode")], runs.said("other"))
        kept.result(f"run/1/{label}", Episode("p", "i", 1), b"", Played(1.0, "done"), Timing(1.0, 0.0))
        yield

    runs.journal(folder, write)
    (folder / MANIFEST).write_bytes(evals.msgspec.json.encode(given))
    return folder


def test_a_growing_history_is_told_once(tmp_path: Path):
    folder = histories(tmp_path / "run", [runs.said("same"), runs.said("same"), runs.said("last")])
    [path] = export(folder, "inspect", tmp_path / "one.eval")
    sample = read_eval_log_sample(str(path), "i", 1)
    assert [one.text for one in sample.messages] == ["question 0", "same", "question 1", "same", "question 2", "last"]


def test_who_did_not_answer_is_told_and_unknown_tokens_are_not_zero(tmp_path: Path):
    replies = [runs.failed("timeout", "no answer"), Reply("ok", "ok", usage=Usage(1, None, None, None, None))]
    [path] = export(histories(tmp_path / "run", replies), "inspect", tmp_path / "one.eval")
    sample = read_eval_log_sample(str(path), "i", 1)
    [failure] = sample.metadata["failures"]
    assert (failure["agent"], failure["kind"], failure["message"]) == ("a", "timeout", "no answer")
    assert sample.model_usage == {}


def test_the_same_eval_makes_the_same_files(quiz: tuple[Path, Recorded, list[Path]], tmp_path: Path):
    folder, _, logs = quiz
    again = export(folder, "inspect", tmp_path / "again")
    assert [path.name for path in again] == [path.name for path in logs]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in logs]


def test_ids_are_no_paths_and_do_not_meet(tmp_path: Path):
    names = ["../../up", "a/b", "a_b", "A_B", "c:d", "\x1b[31m\u202e", "x" * 500, ".", "plain"]
    given = evals.manifest(1, 1, evals.ARMS[:1])
    instances = [Instance(name, "sums", "t") for name in names]
    given = type(given)("n", given.arms, given.cases[:1], instances, [1], {"debate sums": "p"})
    played = {Episode("p", name, 1).label().rpartition("/")[2]: Played(0.5) for name in names}
    folder = evals.written(tmp_path / "run", Recorded(given, played))
    [path] = export(folder, "inspect")
    with ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.startswith("samples/")]
    reachable = [name for name in names if "/" not in name]
    assert len(members) == len({name.lower() for name in members}) == len(reachable)
    assert all(name.count("/") == 1 and ".." not in name and len(name) < 200 for name in members)
    log = read_eval_log(str(path))
    assert [sample.metadata["instance"] for sample in log.samples or []] == [*map(str, sorted_like(log, reachable))]
    assert read_eval_log_sample(str(path), "plain", 1).metadata["instance"] == "plain"


def sorted_like(log: EvalLog, names: list[str]) -> list[str]:
    """Names in the order of the log's samples."""
    order = [sample.metadata["instance"] for sample in log.samples or []]
    assert sorted(order) == sorted(names)
    return order


def test_hostile_texts_are_read_as_they_are(tmp_path: Path):
    folder = evals.written(tmp_path / "run", evals.hostile(), talk=1)
    logs = export(folder, "inspect")
    assert all(path.name.isascii() and "<" not in path.name for path in logs)
    log = read_eval_log(str(logs[0]))
    samples = {(one.id, one.epoch): one for one in log.samples or []}
    first = samples["i0", 1]
    assert (log.eval.task, first.input) == (evals.HOSTILE, evals.HOSTILE)
    assert len(first.output.completion) > 200_000
    assert first.scores is not None
    assert first.scores["score"].explanation == f"-{evals.HOSTILE}"
    lost = samples["i0", 2]
    assert lost.error is not None
    assert lost.error.message == f"\t{evals.HOSTILE}"
    with ZipFile(logs[0]) as archive:
        assert all(archive.read(name).isascii() for name in archive.namelist())
        assert json.loads(archive.read("header.json"))["version"] == 2
