"""A process that intercepts a cluster's webhooks and can really be killed.

    python interception_programs.py KUBECONFIG FOLDER MOMENT [TIMES]

It sends itself SIGKILL at a moment (`after PATCH …`), the first time or a later one.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from intercepted import CA_PEM, KilledApi, Killer, killed_files, prepared
from webhook_fuzz.fuzzer.cluster.connections import Cluster
from webhook_fuzz.fuzzer.cluster.credentials import ClusterOptions


class RealKiller(Killer):
    """Not an exception: the process is gone at once."""

    def __init__(self, moment: str, times: int) -> None:
        super().__init__(at=times)
        self.moment = moment

    def step(self, name: str) -> None:
        self.steps += name == self.moment
        if self.steps == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(kubeconfig: Path, folder: Path, moment: str, times: int) -> None:
    killer = RealKiller(moment, times)
    async with Cluster(ClusterOptions(kubeconfig=kubeconfig)) as cluster:
        with killed_files(killer):
            interception = await prepared(KilledApi(cluster, killer), folder)
            async with interception.active(CA_PEM):
                pass


if __name__ == "__main__":
    _, where, into, named, *often = sys.argv
    asyncio.run(main(Path(where), Path(into), named, int(often[0]) if often else 1))
