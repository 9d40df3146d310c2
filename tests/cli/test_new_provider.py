"""A new adapter starts as a distribution whose own tests pass."""

import subprocess
import sys
import tomllib

import pytest


def test_its_tests_pass_at_once(run, tmp_path):
    """The conformance kit and a video over sockets, before a line is changed."""
    home = run("new-provider", "my_shop", "--to", tmp_path).stdout.strip()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "FILL IN" in (tmp_path / "pika-my_shop" / "pika_my_shop" / "adapter.py").read_text()


def test_it_is_found_by_its_entry_points(run, tmp_path):
    """The distribution names the adapter and the emulator for pika_async to find."""
    run("new-provider", "shop", "--to", tmp_path)
    told = tomllib.loads((tmp_path / "pika-shop" / "pyproject.toml").read_text())["project"]["entry-points"]
    assert told["pika_async.providers"] == {"shop": "pika_shop:Shop"}
    assert told["pika_async.emulators"] == {"shop": "pika_shop:ShopEmulator"}


@pytest.mark.parametrize("name", ["Shop", "1shop", "my-shop", "", "../shop"])
def test_a_name_that_is_none_is_refused(run, tmp_path, name):
    """A name becomes a module, a variable and an entry point."""
    assert run("new-provider", name, "--to", tmp_path).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_left_alone(run, tmp_path):
    """Nobody's work is written over."""
    run("new-provider", "shop", "--to", tmp_path)
    assert "is there already" in run("new-provider", "shop", "--to", tmp_path).stderr
