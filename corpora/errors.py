"""How does this program say that it cannot go on?

Three things are kept apart. A *finding* is data: what a webhook does wrong. An *outcome* is data
too: how a call ended (refused, timed out, answered with HTML). An *error* is ours or the user's:
a file that cannot be read, an option that makes no sense. Only the last is an exception, and the
command line catches it in one place and prints two lines: what happened and what to do.

    WebhookFuzzError
    ├── InputError          the user gave something that cannot be used (exit code 2)
    └── IncompleteRunError  the run could not be carried out completely (exit code 3)
"""


class WebhookFuzzError(Exception):
    """Base of every error this program raises on purpose.

    `message` says what happened and where; `hint` says what to do about it.
    """

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(WebhookFuzzError):
    """A file, an option or a value from the user that cannot be used."""


class IncompleteRunError(WebhookFuzzError):
    """The work was understood but could not be carried out completely."""
