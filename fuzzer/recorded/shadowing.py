"""What would become of new fields in the traffic a webhook sees right now?

The original was forwarded and answered before anything here happens, and is never touched. A copy
of its pod with new fields on goes to the same webhook, as a dry run with a uid of its own, and the
answer is judged. At most so many a second, one at a time, and only to webhooks that declare to have
no side effects in dry runs; a webhook in trouble is left alone.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.corpora.exchanges import WebhookIdentity, was_reached
from webhook_fuzz.corpora.fields.catalogue import Catalogue, load_catalogue
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue
from webhook_fuzz.corpora.members import object_at
from webhook_fuzz.corpora.probes.loading import load_probes
from webhook_fuzz.corpora.recordings.raw_exchanges import RawAnswer, RawExchange
from webhook_fuzz.corpora.recordings.sinks import Count, Sink
from webhook_fuzz.corpora.versions import Minor, parse_minor
from webhook_fuzz.fuzzer.findings import Finding
from webhook_fuzz.fuzzer.generation.cases import Case
from webhook_fuzz.fuzzer.isolation import blocked_finding, is_blocked
from webhook_fuzz.fuzzer.observations import Observation
from webhook_fuzz.fuzzer.recorded.enriching import pod_seed
from webhook_fuzz.fuzzer.recorded.requests import findings_of, is_creation
from webhook_fuzz.fuzzer.recorded.result_files import save_document
from webhook_fuzz.fuzzer.recorded.rotations import Rotation
from webhook_fuzz.fuzzer.recorded.sending import Uids, fresh_review
from webhook_fuzz.fuzzer.recorded.shadow_results import ShadowResults
from webhook_fuzz.fuzzer.recorded.shadow_sending import Copy, Sent, ShadowSender
from webhook_fuzz.fuzzer.recorded.shadow_targets import ShadowTarget, ShadowTransport, headers_of
from webhook_fuzz.fuzzer.recorded.shapes import is_ours

_OK: Final = range(200, 207)
_WRITE_SECONDS = 10.0
_FIRST_REST_SECONDS = 10.0
_LONGEST_REST_SECONDS = 600.0
_CLOSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowingSinkFactory:
    """Opens the sink in its process.

    `targets` are the webhooks that may be sent copies, and no others are. `per_second` is for each
    of them; `target` is the minor judged for ("1.37"), the newest known unless given. `results` is
    the file the findings are written to. Raises InputError for a target, a certificate or a file
    that cannot be used.
    """

    targets: tuple[ShadowTarget, ...]
    target: str | None = None
    per_second: float = 1.0
    results: Path | None = None
    random_seed: int = 0

    def __call__(self) -> Sink:
        """The sink."""
        return ShadowingSink(self)


@dataclass(slots=True, kw_only=True)
class _State:
    """One webhook: when the next copy may be sent, and which."""

    target: ShadowTarget
    rotation: Rotation
    next_at: float = 0.0
    under_way: bool = False
    failures: int = 0
    sent: int = 0
    patched: int = 0


class ShadowingSink:
    """Sends copies of what it is given, and judges the answers."""

    def __init__(self, options: ShadowingSinkFactory) -> None:
        catalogue = load_catalogue()
        minor = parse_minor(options.target) if options.target else catalogue.newest
        self._check(options, catalogue, minor)
        self._options, self._catalogue, self._minor = options, catalogue, minor
        probes = {name: probe for name, probe in load_probes().items() if probe.fits(minor)}
        self._schema = catalogue.schema(catalogue.newest)
        self._states = {
            target.webhook: _State(
                target=target, rotation=Rotation(probes=probes, schema=self._schema)
            )
            for target in options.targets
        }
        self._uids = Uids(options.random_seed)
        self._skipped: Counter[str] = Counter()
        self._failed = 0
        self._results = ShadowResults()
        self._changed, self._written_at = False, 0.0
        self._sender = ShadowSender()

    def take(self, exchange: RawExchange) -> None:
        """Send a copy of the exchange's pod, where one may be sent now."""
        self._judge_ended()
        reason = self._consider(exchange)
        if reason:
            self._skipped[reason] += 1

    def tick(self, now: float) -> None:
        """Judge what came back, and write the results now and then."""
        self._judge_ended()
        if self._changed and time.monotonic() - self._written_at > _WRITE_SECONDS:
            self._write()

    def counts(self) -> Sequence[Count]:
        """What was sent, skipped and found."""
        return [
            *(
                Count(name="shadow_sent", value=state.sent, labels={"webhook": webhook.name})
                for webhook, state in self._states.items()
            ),
            *(
                Count(name="shadow_patched", value=state.patched, labels={"webhook": webhook.name})
                for webhook, state in self._states.items()
            ),
            *(
                Count(name="shadow_skipped", value=count, labels={"reason": reason})
                for reason, count in sorted(self._skipped.items())
            ),
            Count(name="shadow_failed", value=self._failed),
            *(
                Count(
                    name="shadow_findings",
                    value=count,
                    labels={"code": code, "webhook": name},
                    is_gauge=True,
                )
                for name, code, count in self._results.by_code()
            ),
        ]

    def close(self) -> None:
        """Wait a little for what is under way, judge it, and write the results."""
        self._sender.close(_CLOSE_SECONDS)
        self._judge_ended()
        self._write()

    def _consider(self, exchange: RawExchange) -> str:
        """Send a copy, or say why not. What costs nothing to find out is asked first."""
        state = self._states.get(exchange.webhook)
        if state is None:
            return "not-allowed"
        if state.under_way:
            return "busy"
        if time.monotonic() < state.next_at:
            return "resting" if state.failures else "rate"
        if not isinstance(exchange.answer, RawAnswer) or exchange.answer.status not in _OK:
            return "original-failed"
        review = _read(exchange.request_body)
        request = object_at(review, "request")
        if not is_creation(request) or is_ours(request):
            return "no-pod-creation"
        return self._send(exchange, review, state)

    def _send(self, exchange: RawExchange, review: JsonObject, state: _State) -> str:
        request = object_at(review, "request")
        try:
            seed = pod_seed(request, f"pod-{state.sent}", "It passed the proxy.", self._schema)
            case = state.rotation.next_case(seed) if seed is not None else None
            headers = headers_of(state.target, exchange)
        except (TypeError, ValueError, RecursionError):  # a pod of no shape the API server takes
            return "unusable-pod"
        except OSError:
            return "token-unreadable"
        if case is None:
            return "unusable-pod"
        state.next_at = time.monotonic() + 1 / self._options.per_second
        state.under_way, state.sent = True, state.sent + 1
        fresh = fresh_review(review, self._uids.draw())
        fresh["request"] = {**object_at(fresh, "request"), "object": case.pod}
        path = state.target.path_of(exchange.target)
        self._sender.send(
            Copy(target=state.target, path=path, headers=headers, case=case, review=fresh)
        )
        return ""

    def _judge_ended(self) -> None:
        for sent in self._sender.ended():
            state = self._states[sent.copy.target.webhook]
            state.under_way = False
            self._judge(sent, state)

    def _judge(self, sent: Sent, state: _State) -> None:
        exchange = sent.exchange
        if exchange is None or not was_reached(exchange.outcome):
            # Whatever is wrong with it, more calls make it worse: rest, longer each time.
            self._failed += 1
            state.failures += 1
            rest = _FIRST_REST_SECONDS * 2 ** min(state.failures - 1, 10)
            state.next_at = time.monotonic() + min(rest, _LONGEST_REST_SECONDS)
            return
        state.failures = 0
        observation = Observation(exchange=exchange, catalogue=self._catalogue, target=self._minor)
        state.patched += bool(observation.operations)
        found = [*findings_of(observation), *_blocked(observation, sent.copy.case, state.rotation)]
        if found:
            self._results.add(state.target.webhook, observation, found)
        self._changed = True

    def _write(self) -> None:
        self._written_at, self._changed = time.monotonic(), False
        if self._options.results is None:
            return
        webhooks = {
            _name(webhook): {
                "sent": state.sent,
                "patched": state.patched,
                "rounds": state.rotation.rounds,
            }
            for webhook, state in self._states.items()
        }
        document = self._results.document(str(self._minor), webhooks)
        try:
            save_document(document, self._options.results)
        except OSError:
            self._skipped["results-not-written"] += 1

    @staticmethod
    def _check(options: ShadowingSinkFactory, catalogue: Catalogue, minor: Minor) -> None:
        """Raises InputError for what cannot be used: better now than an hour later."""
        if options.per_second <= 0:
            raise InputError(
                f"{options.per_second:g} shadow copies a second are none",
                hint="Leave shadowing out, or allow a positive number.",
            )
        if not min(catalogue.sources) < minor <= catalogue.newest:
            raise InputError(
                f"the field catalogue knows nothing of Kubernetes {minor}",
                hint=f"It covers up to {catalogue.newest}.",
            )
        if options.results is not None:
            _prepare_folder(options.results.parent)
        for target in options.targets:
            ShadowTransport(target.options("/"))


def _prepare_folder(folder: Path) -> None:
    """Make the folder of the results, for its owner only; another sink may be making it too."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"results cannot be written to {folder}: {error.strerror or error}",
            hint="Choose another folder for the findings.",
        ) from error


def _blocked(observation: Observation, case: Case, rotation: Rotation) -> Iterable[Finding]:
    """What is found where the original was allowed and the copy is not."""
    if not is_blocked(observation):
        return ()
    blamed = rotation.note_blocked(case)
    return () if blamed is None else blocked_finding(observation, blamed.paths)


def _read(body: bytes) -> JsonObject:
    try:
        found: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _name(webhook: WebhookIdentity) -> str:
    return "/".join(part for part in (webhook.configuration, webhook.name) if part)
