"""A real S3 server on loopback with one bucket, `videos`, and the environment that leads to it."""

from __future__ import annotations

import urllib.request

import pytest
from obstore.store import from_url


@pytest.fixture(scope="module")
def s3():
    """Return the address of an S3 server with the bucket `videos`."""
    moto = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/videos", method="PUT")).close()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(s3, monkeypatch):
    """Return the bucket, as the environment leads to it."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "canary-access-1",
        "AWS_SECRET_ACCESS_KEY": "canary-secret-1",
    }.items():
        monkeypatch.setenv(name, value)
    return from_url("s3://videos")
