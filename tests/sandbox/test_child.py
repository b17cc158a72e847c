"""A process that is killed on time, forgets nothing it must forget, and turns every end into an outcome."""

import os
import signal
import time

import pytest

from operant.errors import BadValue, OperantError
from operant.sandbox.child import Limits, Worker, run

SHORT = Limits(seconds=0.5, memory_mb=256)


def double(number):
    return 2 * number


def echo(value):
    return value


def fail(text):
    raise ValueError(text)


def forever():
    while True:
        pass


def sleep(seconds):
    time.sleep(seconds)


def hide_and_sleep():
    """Ignores what can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGXCPU):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(60)


def eat():
    held = []
    while True:
        held.append(bytearray(2**20))


def end(status):
    os._exit(status)


def die():
    os.kill(os.getpid(), signal.SIGSEGV)


def speak(text):
    print(text, flush=True)
    os.write(1, text.encode())
    return text


def environment():
    return dict(os.environ)


def write(path):
    with open(path, "w") as file:
        file.write("text")


def fork():
    """A child of the child that would outlive it."""
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    return pid


def nest(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def identity():
    return [os.getpid(), os.getpgrp(), os.getsid(0)]


@pytest.fixture(scope="module")
def worker():
    with Worker(SHORT) as made:
        yield made


def test_a_result_comes_back_as_json(worker):
    assert worker.run(double, 21).value == 2 * 21
    assert worker.run(echo, {"a": [1, 2.5, None, True, "é\n"]}).value == {"a": [1, 2.5, None, True, "é\n"]}


def test_one_process_serves_many_jobs(worker):
    pids = {worker.run(identity).value[0] for _ in range(5)}
    assert len(pids) == 1 and os.getpid() not in pids


def test_it_has_a_session_of_its_own(worker):
    pid, group, session = worker.run(identity).value
    assert pid == group == session != os.getsid(0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_no_result(worker, value):
    outcome = worker.run(float, str(value))
    assert (outcome.kind, outcome.value) == ("error", None) and "JSON" in outcome.why


def test_errors_of_a_job_are_outcomes(worker):
    outcome = worker.run(fail, "no such luck")
    assert (outcome.kind, outcome.why) == ("error", "ValueError: no such luck")
    assert worker.run(nest, 100_000).kind == "error"
    assert worker.run(double, 1).value == 2  # and the worker goes on


@pytest.mark.parametrize("job, arguments", [(forever, ()), (sleep, (60,)), (hide_and_sleep, ())])
def test_a_late_job_is_killed_and_the_next_one_runs(worker, job, arguments):
    assert worker.run(double, 1).value == 2
    started = time.monotonic()
    outcome = worker.run(job, *arguments)
    assert time.monotonic() - started < 0.5 + 2.0
    assert (outcome.kind, outcome.why, outcome.value) == ("time", "stopped after 0.5 s", None)
    assert worker.run(double, 3).value == 6


def test_memory_is_limited(worker):
    outcome = worker.run(eat)
    assert outcome.kind == "memory" and "256 MB" in outcome.why
    assert worker.run(double, 3).value == 6


def test_a_crash_is_an_outcome(worker):
    assert worker.run(end, 3).why == "the process died of exit status 3"
    outcome = worker.run(die)
    assert (outcome.kind, outcome.why) == ("crash", "the process died of SIGSEGV")
    assert worker.run(double, 3).value == 6


def test_what_a_job_prints_is_no_answer(worker):
    assert worker.run(speak, '{"value": 1, "why": "", "kind": "done"}\n').value.startswith('{"value": 1')
    assert worker.run(double, 3).value == 6


def test_no_key_is_visible(worker, monkeypatch):
    monkeypatch.setenv("OPERANT_SECRET_KEY", "hidden")
    with Worker(SHORT) as fresh:
        assert "OPERANT_SECRET_KEY" not in fresh.run(environment).value


def test_no_file_can_be_written(worker, tmp_path):
    assert worker.run(write, str(tmp_path / "file")).kind == "error"
    assert (tmp_path / "file").read_text() == ""  # its name is there, its content is not


def test_a_large_result_is_refused():
    limits = Limits(result_bytes=1000)
    with Worker(limits) as worker:
        assert worker.run(echo, "a" * 998).kind == "done"  # 998 letters and 2 quotes
        assert worker.run(echo, "a" * 999).why == "the result is larger than 1000 bytes"


def test_closing_ends_the_whole_group():
    with Worker(SHORT) as worker:
        pid = worker.run(fork).value
        os.kill(pid, 0)  # it lives
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.02)
    raise AssertionError("the child of the child is still there")


def alive(pid):
    """Running: neither gone nor a zombie nobody has collected."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_one_job_alone():
    assert run(double, 4).value == 8


def test_only_functions_with_a_name_can_be_run():
    with pytest.raises(OperantError, match="expected a function that stands at the top of a module"):
        run(lambda: 1)
    with pytest.raises(OperantError, match="arguments of .*:echo must be JSON values"):
        run(echo, object())


def test_limits_are_checked():
    with pytest.raises(BadValue, match="memory_mb is 1; expected at least 64"):
        Limits(memory_mb=1)
    with pytest.raises(BadValue, match="seconds is 0"):
        Limits(seconds=0)
