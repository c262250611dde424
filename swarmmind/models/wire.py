"""The chat-completions protocol: requests to bytes, bytes to replies. Pure functions of values; no I/O.

What OpenAI and vLLM 0.33 understand alike is sent alike; they differ in how an answer is held to a choice
(`structured_outputs` of vLLM, whose older `guided_choice` is silently ignored; a JSON schema elsewhere).
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from swarmmind.effects import TEXT, Choice, Json, Message, Output, Usage
from swarmmind.models import logprobs, prefixes
from swarmmind.ports import Request

Dialect: TypeAlias = Literal["openai", "vllm"]

PATH = "chat/completions"
_CHOICE = "choice"  # the only property of the document that an option is wrapped in
_MESSAGE_OVERHEAD_TOKENS = 16  # what a chat template puts round a message; generous
_PROMPT_OVERHEAD_TOKENS = 64  # and round them all
_MAX_CACHED = 1024
_LOGPROBS = {"logprobs": True, "top_logprobs": logprobs.TOP}


class Body(NamedTuple):
    """A request as bytes, and no fewer tokens than its prompt has: no tokenizer makes two tokens of one byte.

    `prefix` tells which requests begin alike (see `prefixes`).
    """

    content: bytes
    prompt_tokens_at_most: int
    prefix: bytes = b""


_Written: TypeAlias = tuple[msgspec.Raw, bytes]
"""A message as bytes, and the digests of its parts."""


class Writer:
    """Writes the bodies of one model's requests.

    Messages that many requests share (the prefix of a population) are encoded once. Equal schemas of one object are
    byte-identical, and so are the fields' order and spelling, for the sake of the server's caches.

    Args:
        model: the name the server knows it by.
        dialect: whose structured outputs it speaks.
        max_tokens_field: `max_tokens`, or `max_completion_tokens` for servers that insist.
        extra: further fields, merged into the body.

    Attributes:
        refused: fields that may be left out and that the server has refused, so that they are no longer sent.
    """

    def __init__(
        self,
        model: str,
        dialect: Dialect = "openai",
        max_tokens_field: str = "max_tokens",
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.model, self.max_tokens_field = model, max_tokens_field
        self.dialect: Dialect = dialect
        self.extra = dict(extra or {})
        self.refused = set[str]()
        self._encode = msgspec.json.Encoder().encode
        self._messages: dict[Message, _Written] = {}
        self._latest: tuple[Message, _Written] | None = None  # told to many in a row, as in a vote
        self._outputs: dict[int, tuple[Output, dict[str, msgspec.Raw]]] = {}

    def body(self, request: Request) -> Body:
        """The body of a request."""
        sampling = request.sampling
        shape = self._shape(request.output)
        last = len(request.messages) - 1
        written = [self._message(m, at < last) for at, m in enumerate(request.messages)]
        fields: dict[str, Any] = {
            "model": self.model,
            "messages": [content for content, _ in written],
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self.max_tokens_field: sampling.max_tokens,
            "seed": request.seed,
        }
        if sampling.stop:
            fields["stop"] = sampling.stop
        fields.update(shape)
        for name in self.optional(request):
            fields.update(_LOGPROBS if name == "logprobs" else {name: request.agent.priority})
        if self.extra:
            fields.update(self.extra)
        tokens = _PROMPT_OVERHEAD_TOKENS + sum(len(raw) for raw in shape.values())
        for message in request.messages:
            tokens += _MESSAGE_OVERHEAD_TOKENS + _utf8_length(message.content)
        return Body(self._encode(fields), tokens, prefixes.joined([parts for _, parts in written]))

    def optional(self, request: Request) -> list[str]:
        """What is sent with a request and may be left out: `logprobs`, and the `priority` of an agent that has one.

        vLLM takes priorities with `--scheduling-policy priority`, and refuses them otherwise.
        """
        wanted: list[str] = []
        if isinstance(request.output, Choice) and request.output.logprobs:
            wanted.append("logprobs")
        if self.dialect == "vllm" and request.agent.priority:
            wanted.append("priority")
        return [name for name in wanted if name not in self.refused]

    def _message(self, message: Message, shared: bool) -> _Written:
        if self._latest is not None and self._latest[0] is message:
            return self._latest[1]
        known = self._messages.get(message)
        if known is not None:
            return known
        try:
            encoded = self._encode(message)
        except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot hold
            clean = message.content.encode("utf-8", "replace").decode()
            encoded = self._encode(Message(message.role, clean))
        written = msgspec.Raw(encoded), prefixes.parts(encoded)
        if shared:
            if len(self._messages) >= _MAX_CACHED:
                self._messages.clear()
            self._messages[message] = written
        else:
            self._latest = message, written
        return written

    def _shape(self, output: Output) -> dict[str, msgspec.Raw]:
        if output is TEXT:
            return {}
        known = self._outputs.get(id(output))
        if known is not None:
            return known[1]
        fields = {name: msgspec.Raw(self._encode(value)) for name, value in constraint(output, self.dialect).items()}
        if len(self._outputs) >= _MAX_CACHED:
            self._outputs.clear()
        self._outputs[id(output)] = (output, fields)  # kept alive, so that its id stays its own
        return fields


def constraint(output: Output, dialect: Dialect) -> dict[str, Any]:
    """The request fields that hold an answer to `output`."""
    if isinstance(output, Choice):
        if dialect == "vllm":
            return {"structured_outputs": {"choice": output.options}}
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {_CHOICE: {"type": "string", "enum": output.options}},
            "required": [_CHOICE],
            "additionalProperties": False,
        }
        return {"response_format": _json_schema(_CHOICE, schema)}
    if isinstance(output, Json):
        return {"response_format": _json_schema(output.name, output.schema)}
    return {}


def _json_schema(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": is_closed(schema), "schema": schema}}


def is_closed(schema: Any) -> bool:
    """Whether every object in a schema lists all that it holds and requires it: what OpenAI's `strict` accepts."""
    if isinstance(schema, list):
        return all(is_closed(one) for one in schema)
    if not isinstance(schema, dict):
        return True
    named = schema.get("properties", {})
    is_open = schema.get("additionalProperties") is not False or set(schema.get("required", [])) != set(named)
    if (named or schema.get("type") == "object") and is_open:
        return False
    return all(is_closed(value) for value in schema.values())


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


# --- answers ----------------------------------------------------------------------------------------------------------


class Completion(NamedTuple):
    """What a server's 2xx body says; `probabilities` of the options, if they were wanted and can be read."""

    text: str
    finish: str | None
    usage: Usage
    probabilities: dict[str, float] | None = None


UNKNOWN = Usage(1, None, None, None, None)


class Unreadable(Exception):
    """A 2xx body that is not what the protocol says; `usage` is what it cost as far as it says."""

    def __init__(self, message: str, usage: Usage = UNKNOWN) -> None:
        super().__init__(message)
        self.usage = usage


class NotACompletion(Unreadable):
    """A 2xx body that is not JSON, or has no choices."""


class _Said(msgspec.Struct):
    content: Any = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Said
    finish_reason: str | None = None
    logprobs: msgspec.Raw = msgspec.Raw(b"null")


class _Answer(msgspec.Struct):
    choices: list[_Choice] = []
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Tokens(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


_NO_NUMBERS = {"-Infinity": -9999.0}  # as vLLM writes it; the others are null
_answers = msgspec.json.Decoder(_Answer)
_tokens = msgspec.json.Decoder(_Tokens | None)
_objects = msgspec.json.Decoder(dict[str, Any])


def completion(body: bytes, output: Output, dialect: Dialect) -> Completion:
    """What a 2xx body says; an option that was wrapped in a document is taken out of it.

    A refusal is the text where there is no other, under the finish reason `refusal`.

    Raises:
        NotACompletion: it is not JSON, or has no choices.
    """
    try:
        answer = _decoded(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotACompletion(f"not a chat completion: {error}") from error
    usage = _usage(answer.usage)
    if not answer.choices:
        said = bytes(answer.error)
        hint = f": {error_text(said)}" if said != b"null" else ""
        raise NotACompletion(f"a chat completion without choices{hint}", usage)
    choice = answer.choices[0]
    text, finish = _text(choice.message.content), choice.finish_reason
    if not text and choice.message.refusal:
        return Completion(choice.message.refusal, "refusal", usage)
    if not isinstance(output, Choice):
        return Completion(text, finish, usage)
    in_document = dialect != "vllm"
    likely = logprobs.distribution(choice.logprobs, output.options, in_document) if output.logprobs else None
    return Completion(_unwrapped(text, output) if in_document else text, finish, usage, likely)


def _decoded(body: bytes) -> _Answer:
    """An answer, even if its log-probabilities are the infinities that JSON does not have and Python writes.

    Raises:
        MsgspecError: it is not a completion.
        UnicodeDecodeError: it is not UTF-8.
    """
    try:
        return _answers.decode(body)
    except msgspec.DecodeError as error:
        if b"Infinity" not in body and b"NaN" not in body:
            raise
        try:
            body = msgspec.json.encode(json.loads(body, parse_constant=_NO_NUMBERS.get))
        except (ValueError, RecursionError):
            raise error from None
    return _answers.decode(body)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):  # some servers send parts
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return ""


def _unwrapped(text: str, output: Choice) -> str:
    try:
        option = _objects.decode(text).get(_CHOICE)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return text
    return option if isinstance(option, str) and option in output.options else text


def _usage(raw: msgspec.Raw) -> Usage:
    try:
        tokens = _tokens.decode(raw)
    except msgspec.MsgspecError:  # a paid reply is not thrown away because its bill cannot be read
        tokens = None
    if tokens is None:
        return UNKNOWN
    details = tokens.prompt_tokens_details
    cached = details.cached_tokens if details else None
    return Usage(1, _count(tokens.prompt_tokens), _count(cached), _count(tokens.completion_tokens), None)


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and tokens >= 0 else None


def error_text(body: bytes) -> str:
    """The message of an error body, in the shapes of OpenAI, vLLM and FastAPI; else its text."""
    text = body[:4000].decode("utf-8", "replace")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return text
    for name in ("error", "message", "detail"):
        if isinstance(document, dict) and document.get(name):
            document = document[name]
    return document if isinstance(document, str) else text


def error_code(body: bytes) -> str | None:
    """OpenAI's `error.code`, e.g. `insufficient_quota`."""
    try:
        error = _objects.decode(body).get("error")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None
