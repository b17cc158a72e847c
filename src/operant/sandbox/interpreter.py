"""An interpreter of a small part of Python: arithmetic, names, lists, loops and plain functions, and nothing else.

It walks the syntax tree itself; no text becomes code. There is no attribute access, so no value leads to its class.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import NamedTuple

from operant.sandbox.expressions import Expressions, Scope
from operant.sandbox.syntax import read
from operant.sandbox.values import BINARY, Bounds, Counters, ProgramError, Refused, Value

MISTAKES = (ArithmeticError, TypeError, ValueError, LookupError, AttributeError, AssertionError)


class Ran(NamedTuple):
    """What a program left: its `answer`, what it printed, and how many steps it took."""

    value: Value
    printed: str
    steps: int


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Value):
        self.value = value


def interpret(source: str, bounds: Bounds | None = None) -> Ran:
    """Run a program.

    Its value is the variable `answer`; else what its function `solution()` returns; else its last printed line; else
    None. Refused for what is not allowed, ProgramError for a mistake of its own; both name the line.
    """
    counters = Counters(bounds or Bounds())
    machine = _Machine(counters)
    tree = read(source, counters.bounds)
    try:
        machine.block(tree.body, machine.globals)
        value = machine.result()
        counters.weigh(value)
    except (_Break, _Continue, _Return):
        raise ProgramError(f"line {machine.line}: break, continue or return in the wrong place") from None
    except (Refused, ProgramError) as error:
        raise type(error)(f"line {machine.line}: {error}") from None
    except RecursionError:
        raise Refused(f"line {machine.line}: nests too deeply") from None
    except MISTAKES as error:
        raise ProgramError(f"line {machine.line}: {type(error).__name__}: {error}") from None
    return Ran(value, "".join(machine.printed), counters.bounds.steps - counters.steps)


class _Machine(Expressions):
    """Statements, and the line that is being run."""

    line = 1

    def result(self) -> Value:
        if "answer" in self.globals:
            return self.globals["answer"]
        if "solution" in self.functions:
            return self.invoke(self.functions["solution"], [])
        lines = "".join(self.printed).splitlines()
        return lines[-1] if lines else None

    def block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for statement in body:
            self.line = statement.lineno
            self.counters.step()
            self._statements[type(statement)](self, statement, scope)

    def _expression(self, node: ast.Expr, scope: Scope) -> None:
        self.value(node.value, scope)

    def _assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self.value(node.value, scope)
        for target in node.targets:
            self._store(target, value, scope)

    def _augment(self, node: ast.AugAssign, scope: Scope) -> None:
        before = self._load_target(node.target, scope)
        value = self.value(node.value, scope)
        if isinstance(before, list) and isinstance(node.op, ast.Add):
            more = self.counters.elements(value)
            self.counters.made(len(before) + len(more))
            before += more  # in place, as Python does: other names of the list see it
        else:
            self._store(node.target, BINARY[type(node.op).__name__](before, value, self.counters), scope)

    def _load_target(self, target: ast.expr, scope: Scope) -> Value:
        if isinstance(target, ast.Name):
            return self.look_up(target.id, scope)
        return self.value(target, scope)

    def _store(self, target: ast.expr, value: Value, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = value
        elif isinstance(target, ast.Subscript):
            self._store_item(target, value, scope)
        else:
            assert isinstance(target, (ast.Tuple, ast.List))
            values = self.counters.elements(value)
            if len(values) != len(target.elts):
                raise ProgramError(f"{len(target.elts)} names for {len(values)} values")
            for one, part in zip(target.elts, values, strict=True):
                self._store(one, part, scope)

    def _store_item(self, target: ast.Subscript, value: Value, scope: Scope) -> None:
        container, key = self.value(target.value, scope), self.value(target.slice, scope)
        if isinstance(key, slice) or not isinstance(container, (list, dict)):
            raise Refused(f"assignment to a part of a {type(container).__name__}")
        self.counters.weigh(key)
        if isinstance(container, dict) and len(container) >= self.counters.bounds.length:
            raise Refused(f"a dict of more than {self.counters.bounds.length} entries")
        container[key] = value

    def _if(self, node: ast.If, scope: Scope) -> None:
        self.block(node.body if self.value(node.test, scope) else node.orelse, scope)

    def _while(self, node: ast.While, scope: Scope) -> None:
        while self.value(node.test, scope):
            if not self._turn(node.body, scope):
                return

    def _for(self, node: ast.For, scope: Scope) -> None:
        many = self.value(node.iter, scope)
        for value in many if isinstance(many, range) else self.counters.elements(many):
            self._store(node.target, value, scope)
            if not self._turn(node.body, scope):
                return

    def _turn(self, body: Sequence[ast.stmt], scope: Scope) -> bool:
        """One turn of a loop; False when it was the last."""
        self.counters.step()
        try:
            self.block(body, scope)
        except _Break:
            return False
        except _Continue:
            pass
        return True

    def _break(self, _node: ast.Break, _scope: Scope) -> None:
        raise _Break

    def _continue(self, _node: ast.Continue, _scope: Scope) -> None:
        raise _Continue

    def _pass(self, _node: ast.Pass, _scope: Scope) -> None:
        pass

    def _return(self, node: ast.Return, scope: Scope) -> None:
        raise _Return(None if node.value is None else self.value(node.value, scope))

    def _define(self, node: ast.FunctionDef, _scope: Scope) -> None:
        self.functions[node.name] = node

    def invoke(self, function: ast.FunctionDef, values: list[Value]) -> Value:
        names = [one.arg for one in function.args.args]
        if len(names) != len(values):
            raise ProgramError(f"{function.name}() takes {len(names)} values, not {len(values)}")
        if self.counters.calls == 0:
            raise Refused(f"more than {self.counters.bounds.calls} calls inside one another")
        self.counters.calls -= 1
        try:
            self.block(function.body, dict(zip(names, values, strict=True)))
        except _Return as found:
            return found.value
        except (_Break, _Continue):
            raise ProgramError("break or continue outside a loop") from None
        finally:
            self.counters.calls += 1
        return None

    _statements: dict[type[ast.stmt], Callable[..., None]] = {
        ast.Expr: _expression, ast.Assign: _assign, ast.AugAssign: _augment, ast.If: _if, ast.While: _while,
        ast.For: _for, ast.Break: _break, ast.Continue: _continue, ast.Pass: _pass, ast.Return: _return,
        ast.FunctionDef: _define,
    }  # fmt: skip
