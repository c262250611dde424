from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.models.redact import MAX_MESSAGE_CHARS, Redactor

KEY = 'k3y/"quoted"+with=odd&chars'


@pytest.mark.parametrize(
    "echo",
    [
        KEY,
        json.dumps({"key": KEY}),
        quote(KEY, safe=""),
        base64.b64encode(KEY.encode()).decode(),
        KEY.encode().hex(),
        "x" * (MAX_MESSAGE_CHARS - 10) + KEY,  # not half of it at the end either
    ],
)
def test_an_echoed_key_is_removed_in_every_spelling(echo: str) -> None:
    message = Redactor([KEY]).message(f"Incorrect key: {echo} !")
    assert "k3y" not in message
    assert echo[-12:] not in message
    assert len(message) <= MAX_MESSAGE_CHARS


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2hunter2",
        '{"authorization": "Basic hunter2hunter2"}',
        "got bearer hunter2hunter2, expected another",
        "Incorrect API key provided: sk-hunter2hunter2.",
    ],
)
def test_what_looks_like_a_credential_is_removed_without_knowing_it(text: str) -> None:
    assert "hunter2" not in Redactor().message(text)


def test_a_message_is_one_line_without_control_characters() -> None:
    assert Redactor().message("a\r\n\x1b[31mred\x00\u202eb\tc") == "a [31mred b c"


def test_a_models_words_are_its_own_unless_they_hold_a_key() -> None:
    redactor = Redactor([KEY, "EMPTY"])
    assert redactor.reply("The shelf is EMPTY.\n\x07") == "The shelf is EMPTY.\n\x07"
    assert redactor.reply(f"my key is {KEY}") == "my key is [redacted]"
    assert KEY not in repr(redactor)


@given(st.text(min_size=4, max_size=40, alphabet=st.characters(codec="ascii", exclude_characters="[redact]")))
def test_no_key_survives(key: str) -> None:
    assert key not in Redactor([key]).message(f"<<{key}>> and {key}{key}")
