"""The one client of the chat-completions protocol, for OpenAI, vLLM and whoever speaks it."""

from __future__ import annotations

from swarmmind.effects import Reply, Usage
from swarmmind.models import wire
from swarmmind.models.endpoint import Route
from swarmmind.models.prices import Price
from swarmmind.models.redact import Redactor
from swarmmind.models.sending import Patience, Sender, Sent, Turn
from swarmmind.ports import Call, Request

_PATIENCE, _NO_KEY = Patience(), Redactor()


class ChatModel:
    """A model behind a chat-completions endpoint (satisfies `ports.Model`).

    Args:
        writer: writes request bodies; knows the model's name and dialect.
        route: the server they go to, or who chooses one; shared by all models of one endpoint.
        price: what its tokens cost; `None`: unknown.
        patience: how often and how long it tries.
        redactor: keeps the endpoint's key out of replies and failures.
    """

    stateful = False

    def __init__(
        self,
        writer: wire.Writer,
        route: Route,
        price: Price | None = None,
        patience: Patience = _PATIENCE,
        redactor: Redactor = _NO_KEY,
    ) -> None:
        self.writer, self.route = writer, route
        self._sender, self._redactor = Sender(wire.PATH, route, price, patience, redactor), redactor

    def __repr__(self) -> str:
        return f"ChatModel({self.writer.model!r}, {self.route!r})"

    async def answer(self, request: Request, call: Call) -> Reply:
        """The reply, over at most `patience.attempts` attempts; `usage` is the sum over all of them.

        A server that refuses log-probabilities or priorities is asked once more, and from then on, without.

        Raises:
            Spent: the budget cannot pay for the (next) attempt; it was not sent.
        """
        usage, optional = Usage(), self.writer.optional(request)
        while True:
            sent = await self._send(request, call)
            failure, usage = sent.failure, usage + sent.usage
            refused = [name for name in optional if failure and failure.kind == "refused" and name in failure.message]
            if not refused:
                break
            self.writer.refused.update(refused)  # others may have found out meanwhile
            optional = [name for name in optional if name not in refused]
        if failure is not None:
            return Reply(failure=failure, usage=usage)
        said: wire.Completion = sent.value
        text = self._redactor.reply(said.text)
        return Reply(text, usage=usage, finish=said.finish, probabilities=said.probabilities)

    async def _send(self, request: Request, call: Call) -> Sent:
        body = self.writer.body(request)
        worst = Usage(1, body.prompt_tokens_at_most, 0, request.sampling.max_tokens)

        def read(answer: bytes) -> tuple[wire.Completion, Usage]:
            said = wire.completion(answer, request.output, self.writer.dialect)
            return said, said.usage

        turn = Turn(request.agent.priority, body.prefix)
        return await self._sender.send(body.content, worst, read, call, turn)

    async def close(self) -> None:
        """Nothing: the transport belongs to the endpoint, which several models may share."""
