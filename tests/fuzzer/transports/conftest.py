"""A certificate authority, and servers on 127.0.0.1 whose certificate is from it."""

from contextlib import AbstractAsyncContextManager

import pytest

from authorities import LOOPBACK, Authority
from direct_calls import Serving
from hostile_servers import Behaviour, HostileServer, serve_raw


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serving(authority: Authority) -> Serving:
    context = authority.issue(*LOOPBACK).server_context()

    def serve(behaviour: Behaviour) -> AbstractAsyncContextManager[HostileServer]:
        return serve_raw(behaviour, context)

    return serve
