"""Where does the served certificate come from, and when is there another?

Either the proxy signs its own, or it is given files that somebody else renews. Both are asked now
and then whether there is a new pair; a failure is kept as text, because a proxy that serves must go
on with the certificate it has.
"""

from typing import Protocol

from webhook_fuzz.proxy.certificates.pairs import Pair


class CertificateSource(Protocol):
    """The pair to be served, and what else is to be known of it."""

    @property
    def pair(self) -> Pair:
        """What is to be served now."""
        ...

    @property
    def ca_pem(self) -> bytes | None:
        """What clients verify it with; None where that is not known."""
        ...

    @property
    def ca_not_after(self) -> float | None:
        """When that ends, in seconds since the epoch."""
        ...

    @property
    def problem(self) -> str | None:
        """Why the last attempt to have a new pair failed; None where it did not."""
        ...

    def refresh(self, now: float) -> bool:
        """Whether there is a new pair. Reads and signs if needed, and never raises."""
        ...
