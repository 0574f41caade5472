import pytest

from forwarded import Authorities


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities.make(tmp_path_factory.mktemp("authorities"))
