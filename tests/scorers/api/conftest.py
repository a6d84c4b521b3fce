import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "servers"


def load(name):
    """Import a module of tests/servers under its own name."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def servers():
    """The module with the fault server."""
    load("simulated_model")
    return load("fault_server")


@pytest.fixture
def serve(servers):
    """A fault server of one's own, stopped at the end."""
    running = []

    def start(**options):
        running.append(servers.FaultServer(**options).__enter__())
        return running[-1]

    yield start
    for server in running:
        server.__exit__()
