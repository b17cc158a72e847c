"""Programs that try to get out, each refused or stopped with a reason; and programs that must work."""

import time

import pytest

from operant.sandbox import Bounds, Worker, run_program
from operant.sandbox.interpreter import interpret
from operant.sandbox.values import ProgramError, Refused

DEEP = 400

ESCAPES = {
    # attributes lead from any value to its class, and from there to everything
    "().__class__.__bases__[0].__subclasses__()": "attribute access",
    "answer = (1).real": "attribute access",
    "answer = ''.join(['a'])": "attribute access",
    "answer = '{0.__class__}'.format(1)": "attribute access",
    "x = []\nx.append(1)": "attribute access",
    "x = 1\nx.y = 2": "attribute access",
    "print.__self__": "attribute access",
    # modules and doors
    "import os": "import",
    "from os import system": "import",
    "__import__('os')": "'__import__'",
    "eval('1')": "no function named 'eval'",
    "exec('x = 1')": "no function named 'exec'",
    "compile('1', '', 'eval')": "no function named 'compile'",
    "open('/etc/passwd')": "no function named 'open'",
    "input()": "no function named 'input'",
    "getattr(1, 'real')": "no function named 'getattr'",
    "globals()": "no function named 'globals'",
    "type(1)": "no function named 'type'",
    "vars()": "no function named 'vars'",
    "breakpoint()": "no function named 'breakpoint'",
    "answer = __builtins__": "'__builtins__'",
    "def __getattr__(x):\n    return x": "'__getattr__'",
    "_\uff3fimport_\uff3f('os')": "'__import__'",  # full-width underscores, which Python reads as plain ones
    "\u1d49val('1')": "no function named 'eval'",  # a superscript e, likewise
    "d\u00e9f = 1": "the name 'd\u00e9f'",
    # functions as values
    "f = print\nf(1)": "used as a value",
    "answer = sorted([1, 2], key=abs)": "used as a value",
    "answer = sorted([1, 2], key=1)": "keyword 'key'",
    "answer = max([[1], [2]], default=1)": "keyword 'default'",
    "(lambda: 1)()": "lambda",
    "[print][0](1)": "a call of anything but a name",
    "print(*[1, 2])": "starred",
    "print(**{'end': ''})": "'**'",
    # other syntax
    "answer = [x for x in [1]]": "comprehension",
    "answer = {x: x for x in [1]}": "comprehension",
    "answer = sum(x for x in [1])": "generator",
    "def f():\n    yield 1": "generator",
    "(x := 1)": "walrus",
    "class A:\n    pass": "a class",
    "@print\ndef f():\n    return 1": "decorator",
    "def f(x: print(1)):\n    return x": "annotation",
    "def f(x=print(1)):\n    return x": "parameter",
    "def f(*x):\n    return x": "parameter",
    "def f():\n    def g():\n        return 1\n    return g()": "inside something else",
    "async def f():\n    return 1": "async",
    "try:\n    x = 1 / 0\nexcept Exception as e:\n    x = e": "try",
    "raise ValueError": "raise",
    "with open('f') as f:\n    pass": "with",
    "match 1:\n    case int():\n        pass": "match",
    "x = 1\ndel x": "del",
    "global x": "global",
    "answer = b'1'": "constant of type bytes",
    "answer = 1j": "constant of type complex",
    "answer = ...": "constant of type ellipsis",
    "answer = {1, 2}": "a set",
    "answer = 1 << 100000": "a shift",
    # formats
    "answer = f'{1:>1000000000}'": "the format",
    "answer = f'{1:{2}}'": "computed format",
    "answer = f'{1!r}'": "conversion",
    "answer = '%1000000000d' % 1": "formats it",
    # size
    "answer = 9 ** 9 ** 9": "bits",
    "answer = 10 ** 5000": "bits",
    "x = 10\nwhile True:\n    x = x * x": "bits",
    "answer = 'a' * 1000000000": "length 1000000000",
    "answer = [0] * 100000000": "length 100000000",
    "x = 'aa'\nwhile True:\n    x = x + x": "length",
    "x = [1]\nwhile True:\n    x += x": "length",
    "x = [0] * 9999\ny = []\nfor i in range(9999):\n    y += [x + [i]]": "altogether",
    "x = [1]\nfor i in range(60):\n    x = [x, x]\nanswer = str(x)": "parts or 100 layers",
    "x = (1,)\nfor i in range(60):\n    x = (x, x)\nanswer = {x: 1}": "parts or 100 layers",
    "x = (1,)\nfor i in range(5000):\n    x = (x,)\nanswer = {x: 1}": "parts or 100 layers",
    "x = [1]\nx[0] = x\nprint(x)": "parts or 100 layers",
    "x = [1]\nx[0] = x\nanswer = x": "parts or 100 layers",
    "x = [1]\nfor i in range(60):\n    x = [x, x]\nanswer = x == x": "parts or 100 layers",
    "answer = list(range(10 ** 9))": "a range of 1000000000",
    "answer = sum(range(50000))": "length 50000",
    "answer = round(5, -1000000000)": "digits",
    "answer = (-8) ** 0.5": "complex",
    "print('a' * 9000, 'b' * 9000)": "length 18002",
    # time
    "while True:\n    pass": "steps",
    "for i in range(99999):\n    for j in range(99999):\n        pass": "steps",
    "def f(n):\n    return f(n + 1)\nf(0)": "calls inside one another",
    "def f():\n    return g()\ndef g():\n    return f()\nf()": "calls inside one another",
    # the text itself
    "(" * DEEP + "1" + ")" * DEEP: "not a program",
    "[" * 60 + "]" * 60: "levels",
    "-" * 5000 + "1": "nest",
    "1" + " + 1" * 2000: "nest",
    "not " * 2000 + "1": "nest",
    "a" + "[0]" * 1500: "nest",
    "x = '" + "a" * 20_000 + "'": "characters",
    "x = " + "9" * 5000: "not a program",
    "x = '\x00'": "not a program",
    "x = '\ud800'": "not a program",
    "if 1:\n" + "".join("  " * depth + "if 1:\n" for depth in range(1, 95)) + "  " * 96 + "x = 1": "levels",
}  # fmt: skip


@pytest.mark.parametrize("source, why", ESCAPES.items(), ids=range(len(ESCAPES)))
def test_no_program_gets_out(source, why):
    started = time.process_time()
    with pytest.raises(Refused, match=why.replace("*", r"\*")):
        interpret(source)
    assert time.process_time() - started < 2


def test_the_corpus_is_large():
    assert len(ESCAPES) >= 40


def test_none_gets_out_of_the_child_either():
    with Worker() as worker:
        for source, why in ESCAPES.items():
            outcome = run_program(source, worker=worker)
            assert outcome.kind == "error" and why in outcome.why and outcome.value is None, source


FIBONACCI = "def f(n):\n    if n < 2:\n        return n\n    return f(n - 1) + f(n - 2)\nanswer = f(10)"
PRIMES = """
found = []
n = 2
while len(found) < 10:
    prime = True
    for p in found:
        if n % p == 0:
            prime = False
            break
    if prime:
        found += [n]
    n += 1
answer = found[-1]
"""
WORD_PROBLEM = """
def solution():
    eggs = 16
    eaten = 3 + 4
    return (eggs - eaten) * 2
"""
TABLE = """
prices = {'tea': 3, 'cake': 4.5}
total = 0
for name, count in [('tea', 2), ('cake', 2)]:
    total += prices[name] * count
print(f'{total:.2f}')
"""
WORK = [
    ("answer = 2 + 3 * 4", 2 + 3 * 4),
    ("answer = (1 + 2) ** 10 // 7 % 5", (1 + 2) ** 10 // 7 % 5),
    ("a, b = 1, 2\na, b = b, a\nanswer = a - b", 1),
    ("answer = [1, 2, 3][1:]", [2, 3]),
    ("answer = sum(range(1, 101))", 100 * 101 // 2),
    ("answer = max([3, 1, 2]) - min(3, 1, 2) + abs(-4) + len('four')", 3 - 1 + 4 + 4),
    ("answer = sorted([3, 1, 2], reverse=True)", [3, 2, 1]),
    ("x = [0, 0]\ny = x\ny[1] = 5\nx += [6]\nanswer = y", [0, 5, 6]),
    ("d = {}\nfor i, c in enumerate('abc'):\n    d[c] = i\nanswer = d", {"a": 0, "b": 1, "c": 2}),
    ("answer = 1 if not (1 > 2 or 2 == 3) and 1 < 2 < 3 else 0", 1),
    ("answer = 2 in [1, 2] and 'b' in 'abc' and 4 not in {1: 2} and None is None", True),
    ("answer = int('12') + float('0.5') + round(2.567, 1)", 12 + 0.5 + 2.6),
    ("n = 1 ; n = n + 7 ; answer = n", 8),
    ("sum = 3\nanswer = sum + 1", 4),
    ("for i in range(10):\n    if i == 3:\n        continue\n    if i == 5:\n        break\n    answer = i", 4),
    ("answer = str(list(zip([1, 2], (3, 4))))", "[(1, 3), (2, 4)]"),
    ("x = 5\ndef f():\n    x = 1\n    return x\nanswer = f() + x", 6),
    ("print('a', 1, sep='-')", "a-1"),
    ("x = 1", None),
    (FIBONACCI, 55),
    (PRIMES, 29),
    (WORD_PROBLEM, (16 - 3 - 4) * 2),
    (TABLE, "15.00"),
]  # fmt: skip


@pytest.mark.parametrize("source, value", WORK)
def test_plain_programs_work(source, value):
    assert interpret(source).value == value


@pytest.mark.parametrize(
    "source, why",
    [
        ("x = 1\nanswer = x / 0", "line 2: ZeroDivisionError"),
        ("answer = y", "line 1: the name 'y' has no value"),
        ("answer = [1][3]", "line 1: IndexError"),
        ("answer = 'a' + 1", "line 1: TypeError"),
        ("a, b = [1]", "line 1: 2 names for 1 values"),
        ("def f(x):\n    return x\nanswer = f()", "line 3: f\\(\\) takes 1 values, not 0"),
        ("answer = 10.0 ** 1000", "line 1: OverflowError"),
        ("def f():\n    break\nfor i in [1]:\n    f()", "outside a loop"),
        ("return 1", "in the wrong place"),
    ],
)
def test_a_programs_own_mistakes_name_the_line(source, why):
    with pytest.raises(ProgramError, match=why):
        interpret(source)


def test_bounds_are_the_callers():
    assert interpret("answer = 2 ** 127", Bounds(bits=128)).value == 2**127
    with pytest.raises(Refused, match="a whole number of 129 bits; at most 128 are allowed"):
        interpret("answer = 2 ** 127 * 2", Bounds(bits=128))


def test_many_programs_a_second():
    with Worker() as worker:
        assert run_program("answer = 1", worker=worker).value["value"] == 1
        started = time.perf_counter()
        assert all(run_program(f"answer = {n} + 1", worker=worker).value["value"] == n + 1 for n in range(200))
        assert (time.perf_counter() - started) / 200 < 0.02  # 0.2 ms on an idle machine
