"""`operant serve`: light until it starts, local unless told otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest
import uvicorn

from operant.compare.products import save_products
from operant.decoding.guided import Guide, Guided
from operant.engine.policy import LanguageModel
from operant.errors import MissingExtra, OperantError
from operant.schema import Products
from operant.serve.command import load_app, serve
from serve.running import post


def test_importing_it_loads_neither_torch_nor_fastapi():
    code = "import sys, operant.serve.command; sys.exit(bool({'torch', 'fastapi', 'uvicorn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def started(monkeypatch):
    """What uvicorn was asked to run."""
    calls = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **settings: calls.append((app, settings)))
    return calls


def test_it_listens_on_this_machine_alone(started, directory, capsys):
    serve(model=directory, name="mine")
    ((app, settings),) = started
    assert (settings["host"], settings["port"]) == ("127.0.0.1", 8000)
    assert post(app, "/v1/models").json()["data"][0]["id"] == "mine"
    assert post(app, "/v1/models", host="elsewhere.example").status_code == 400
    assert capsys.readouterr().err == ""


def test_another_address_is_warned_about(started, directory, capsys):
    serve(model=directory, host="0.0.0.0")
    ((app, _),) = started
    assert post(app, "/v1/models", host="elsewhere.example").status_code == 200
    assert "no password" in capsys.readouterr().err


def test_what_train_wrote_is_served(directory, reward_directory, tmp_path):
    policy = LanguageModel.load(directory)
    save_products(Products(generator=policy), tmp_path / "sft", {"slug": "sft", "config": {}})
    app = load_app(tmp_path / "sft", None)
    assert post(app, "/v1/completions", {"prompt": "a"}).status_code == 200
    assert post(app, "/get_reward", {"query": ["a"]}).status_code == 404  # no reward model was given


def test_a_product_that_steers_while_it_answers_is_refused(directory, tmp_path):
    guided = Guided(LanguageModel.load(directory), {"arm": Guide(LanguageModel.load(directory), 1.0)})
    save_products(Products(generator=guided), tmp_path / "arm", {"slug": "genarm", "config": {}})
    with pytest.raises(OperantError, match=r"steers its model while it answers \(Guided\)"):
        load_app(tmp_path / "arm", None)


def test_nothing_to_serve_is_an_error():
    with pytest.raises(OperantError, match="--model DIR, --reward-model DIR"):
        serve()


@pytest.mark.parametrize("package", ["uvicorn", "fastapi"])
def test_a_missing_package_names_the_extra(package, directory, monkeypatch, started):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"operant\[serve\]"):
        serve(model=directory)
