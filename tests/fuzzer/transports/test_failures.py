import errno
import ssl

import pytest

from webhook_fuzz.corpora.exchanges import FailureKind
from webhook_fuzz.fuzzer.transports.failures import Dialled, Phase, classify_failure

DIALLED = Dialled(address="h:443", verified_name="hook.ns.svc", timeout_seconds=2.5)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ECONNREFUSED, "refused"), FailureKind.REFUSED),
        (OSError(errno.EHOSTUNREACH, "no route"), FailureKind.UNREACHABLE),
        (OSError(errno.ECONNRESET, "reset"), FailureKind.RESET),
        (OSError(errno.EPIPE, "pipe"), FailureKind.RESET),
        (TimeoutError(), FailureKind.TIMEOUT),
        (TimeoutError(errno.ETIMEDOUT, "by the kernel"), FailureKind.TIMEOUT),
        (ssl.SSLEOFError(8, "eof"), FailureKind.RESET),
        (ssl.SSLError(1, "[SSL: SOMETHING] odd"), FailureKind.TLS),
    ],
)
def test_errors_are_told_apart(error: OSError, kind: FailureKind) -> None:
    assert classify_failure(error, DIALLED, Phase.ASKING).kind is kind


def test_the_wrapped_tls_error_counts_more_than_the_number_it_is_wrapped_in() -> None:
    wrapper = OSError(errno.EPERM, "[SSL] alert")
    wrapper.__cause__ = ssl.SSLError(1, "[SSL] alert")
    assert classify_failure(wrapper, DIALLED, Phase.ASKING).kind is FailureKind.TLS


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Phase.CONNECTING, "no connection to h:443 within 2.5 s"),
        (Phase.ASKING, "h:443 took the request and did not answer within 2.5 s"),
        (Phase.READING, "h:443 began to answer and did not finish within 2.5 s"),
    ],
)
def test_a_timeout_says_how_far_the_call_had_come(phase: Phase, words: str) -> None:
    assert classify_failure(TimeoutError(), DIALLED, phase).detail == words


def test_details_are_bounded_and_cannot_move_the_cursor() -> None:
    failed = classify_failure(OSError(errno.EPIPE, "\x1b[2J" * 999), DIALLED, Phase.READING)
    assert "\x1b" not in failed.detail
    assert len(failed.detail) <= 500


def test_details_are_one_line() -> None:
    failed = classify_failure(OSError(errno.EPIPE, "one\ntwo\t three"), DIALLED, Phase.READING)
    assert failed.detail.endswith("in the middle of the answer: [Errno 32] one two three")
