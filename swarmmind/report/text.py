"""Plain text for people: numbers with their units, hostile characters made visible, the last lines of a run.

Everything here is a pure function of its arguments; nothing reads a clock, a terminal or a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

_HOSTILE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_OUTPUT_CHARACTERS = 2000
_MOST_SERVERS = 8
_METRICS_A_LINE, _METRIC_CHARACTERS = 3, 60
_RESUMABLE = ("stopped", "interrupted", "crashed")


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters shown as signs: ESC is `␛`, U+202E `⟨U+202E⟩`.

    Newlines and tabs stay; joiners stay, for emoji and scripts that need them.
    """
    return _HOSTILE.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u27e8U+{code:04X}\u27e9"


def number(value: Any) -> str:
    """A count with thousands separators, a fraction with four digits; `None` is `unknown`."""
    if value is None:
        return "unknown"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return plain(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def usd(value: Any) -> str:
    """Money with at least two and at most six decimals; `None` is `unknown`."""
    if not isinstance(value, int | float):
        return "unknown"
    whole, _, cents = f"{value:,.6f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


def duration(seconds: Any) -> str:
    """Seconds in the unit a person would choose: `45 ms`, `3.2 s`, `12 min 5 s`, `2 h 3 min`; `None` is `unknown`."""
    if not isinstance(seconds, int | float):
        return "unknown"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def share(part: Any, whole: Any) -> str:
    """A percentage, `unknown` if either is, and if there is nothing to take a share of."""
    if not isinstance(part, int | float) or not isinstance(whole, int | float) or not whole:
        return "unknown"
    return f"{100 * part / whole:.3g} %"


def coverage_line(coverage: Mapping[str, Any]) -> str:
    """`planned = finished + failed + cancelled`, with a remark if the sum does not come out."""
    planned = coverage.get("planned")
    parts = [coverage.get(name) for name in ("finished", "failed", "cancelled")]
    line = "{} planned = {} finished + {} failed + {} cancelled".format(*map(number, (planned, *parts)))
    counts = [part for part in parts if isinstance(part, int)]
    if len(counts) == 3 and isinstance(planned, int) and sum(counts) != planned:
        line += f" (these add up to {number(sum(counts))})"
    return line


def bill_line(usage: Mapping[str, Any]) -> str:
    """Calls, tokens and money; what is unknown is said to be."""
    prompt, cached = usage.get("prompt_tokens"), usage.get("cached_tokens")
    hit = f" ({share(cached, prompt)} cached)" if cached is not None and prompt else ""
    return (
        f"{number(usage.get('calls'))} calls, {number(prompt)} prompt tokens{hit}, "
        f"{number(usage.get('completion_tokens'))} completion tokens, cost {usd(usage.get('cost_usd'))}"
    )


def cache_line(served: Any) -> str:
    """What servers had in their prefix caches, by their own counters; empty if none of them says so."""
    told = [one for one in served or [] if one.get("cached_tokens") is not None and one.get("prompt_tokens")]
    if not told:
        return ""
    prompt, cached = (sum(one[name] for one in told) for name in ("prompt_tokens", "cached_tokens"))
    return f"{share(cached, prompt)} of {number(prompt)} prompt tokens, by the server's own counters"


def workers_lines(workers: Any) -> list[str]:
    """Who took part in other processes; nothing if nobody did."""
    if not workers:
        return []
    machines = "1 machine" if workers.get("nodes") == 1 else f"{number(workers.get('nodes'))} machines"
    lost = f", {number(workers['lost'])} lost on the way" if workers.get("lost") else ""
    return [f"workers: {number(workers.get('count'))} ({workers.get('engine')}) on {machines}{lost}"]


def server_lines(served: Any) -> list[str]:
    """What was really in flight at each server, and how long requests waited for a place there; at most 8 servers."""
    found: list[str] = []
    for one in (served or [])[:_MOST_SERVERS]:
        said = f"{one.get('url')}: {number(one.get('answered'))} answered"
        if one.get("mean_in_flight") is not None:
            said += (
                f", {number(one['mean_in_flight'])} in flight on average, {number(one.get('most_in_flight'))} at most"
            )
        said += f" (limit {number(one.get('limit'))} at the end)"
        if one.get("queued_seconds"):
            mean = one["queued_seconds"] / max(1, one.get("answered") or 0)
            said += f", {duration(mean)} of waiting for a place each"
        for name, word in (("rejections", "refused as too many"), ("preemptions", "begun anew for want of cache")):
            said += f", {number(one[name])} {word}" if one.get(name) else ""
        found.append(said)
    return found


def lag_line(lag: Any) -> str:
    """How late the event loop was, and what held it up; empty if nobody knows."""
    if not lag or lag.get("p99_seconds") is None:
        return ""
    late = ", ".join(f"{name} {duration(lag.get(f'{name}_seconds') or 0)}" for name in ("p50", "p99", "max"))
    said = f"{late}; held up for {duration(lag.get('stalled_seconds') or 0)} by this process"
    busy = f", for {duration(lag['busy_seconds'])} by a busy machine" if lag.get("busy_seconds") else ""
    worst = [f"{plain(one.get('where'))} ({duration(one.get('seconds') or 0)})" for one in lag.get("culprits") or []]
    return said + busy + (f": {', '.join(worst)}" if worst else "")


def plain(value: Any) -> str:
    """A value as text: a string as it is, `None` is `unknown`, anything else as JSON."""
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def answer(output: Any) -> str:
    """A run's output as text; of a world, whose output is its last frame, round, score and map."""
    if isinstance(output, dict) and "grid" in output:
        return grid_text(cast("dict[str, Any]", output))
    return plain(output)


def lines(result: Mapping[str, Any], context: str = "") -> list[str]:
    """The last words of a run on the terminal.

    Args:
        result: what `result.json` holds; any key may be missing, `None` is unknown.
        context: whose words filled the contexts, as `report.context` says it; left out if empty.

    Returns:
        Lines without markup; control characters in what agents said are made visible, so that no reply can drive the
        terminal.
    """
    status = plain(result.get("status"))
    seconds = f" in {duration(result['seconds'])}" if result.get("seconds") is not None else ""
    limit = f" (limit reached: {result['stopped']})" if result.get("stopped") else ""
    found = [f"{result.get('name') or result.get('run_id') or 'run'}: {status}{limit}{seconds}"]
    found += _output(result)
    found.append(f"score: {number(result.get('score'))}")
    found += _metrics(result.get("metrics") or {})
    coverage: Mapping[str, Any] = result.get("coverage") or {}
    found.append(f"coverage: {coverage_line(coverage)}")
    for role, counts in (coverage.get("roles") or {}).items():
        if counts.get("finished") != counts.get("planned"):
            found.append(f"  {role}: {coverage_line(counts)}")
    found.append(f"bill: {bill_line(result.get('usage') or {})}")
    cache = cache_line(result.get("served"))
    found += [f"prefix cache: {cache}"] if cache else []
    found += [f"server: {line}" for line in server_lines(result.get("served"))]
    found += workers_lines(result.get("workers"))
    if context:
        found.append(f"context: {context}")
    for failure in result.get("failures") or []:
        example = plain(failure.get("example") or "").replace("\n", " ")
        found.append(f"failures: {number(failure.get('count'))} x {failure.get('kind')}, e.g. {example[:200]}")
    if result.get("error"):
        found.append(f"error: {result['error']}")
    if result.get("undone"):
        found.append(f"left undone: {result['undone']}")
    found += [f"warning: {warning}" for warning in result.get("warnings") or []]
    return [visible(line) for line in found + _where(result, status)]


def _output(result: Mapping[str, Any]) -> list[str]:
    output = answer(result.get("output"))
    head, *rest = output[:_OUTPUT_CHARACTERS].splitlines() or [""]
    found = [f"output: {head}", *(f"  {line}" for line in rest)]
    if len(output) > _OUTPUT_CHARACTERS:
        found.append(f"  ... and {number(len(output) - _OUTPUT_CHARACTERS)} characters more, in result.json")
    return found


def _metrics(metrics: Mapping[str, Any]) -> list[str]:
    """A few in one line, more below each other."""
    told = [f"{_short(plain(name))} {_short(number(value))}" for name, value in metrics.items()]
    if len(told) <= _METRICS_A_LINE:
        return [f"metrics: {', '.join(told)}"] if told else []
    return ["metrics:", *(f"  {one}" for one in told)]


def _short(words: str) -> str:
    one_line = " ".join(words.split())
    return one_line if len(one_line) <= _METRIC_CHARACTERS else one_line[:_METRIC_CHARACTERS] + "..."


def _where(result: Mapping[str, Any], status: str) -> list[str]:
    folder = result.get("folder")
    if not folder:
        return []
    found = [f"report: {folder}/report.html"]
    if status in _RESUMABLE:
        found.append(f"resume: swarmmind resume {folder}")
    return found


def grid_text(frame: Mapping[str, Any]) -> str:
    """A frame of an environment as text: a line with round and score, then the map row by row, if there is one."""
    head = f"round {number(frame.get('round'))}, score {number(frame.get('score'))}"
    rows = frame.get("grid") or []
    return visible("\n".join([head, *(str(row) for row in rows)]))
