"""Which findings does the user not want to hear of?

What is left out is counted and named in every format: a suppression nobody sees is forgotten.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from webhook_fuzz.corpora.errors import InputError
from webhook_fuzz.fuzzer.findings import ClusterFinding, load_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """A finding somebody has decided to live with: its code, and a pattern for whose it is."""

    code: str
    pattern: str
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`WF603` or `WF603=CONFIG/NAME`. Raises InputError for a code that is none."""
        code, _, pattern = text.partition("=")
        if code not in load_codes():
            raise InputError(
                f"--ignore {text}: there is no finding {code!r}",
                hint="`webhook-fuzz explain` lists all codes; write --ignore WF603=CONFIG/NAME.",
            )
        return cls(code=code, pattern=pattern or "*", text=f"--ignore {text}")

    def covers(self, finding: ClusterFinding) -> bool:
        """Whether the finding is to be left out."""
        return finding.code == self.code and fnmatchcase(finding.subject, self.pattern)
