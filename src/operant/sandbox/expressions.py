"""What expressions of a program are worth: the half of the interpreter that computes."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from operant.sandbox.functions import FUNCTIONS, call, text
from operant.sandbox.values import BINARY, COMPARE, UNARY, Counters, ProgramError, Refused, Value

Scope = dict[str, Value]
FINDS = (ast.In, ast.NotIn)


class Expressions(ABC):
    """Names, functions and what was printed; `invoke` is the other half's."""

    def __init__(self, counters: Counters):
        self.counters = counters
        self.globals: Scope = {}
        self.functions: dict[str, ast.FunctionDef] = {}
        self.printed: list[str] = []

    @abstractmethod
    def invoke(self, function: ast.FunctionDef, values: list[Value]) -> Value:
        """What a call of the program's own function returns."""

    def value(self, node: ast.expr, scope: Scope) -> Value:
        """What an expression is worth."""
        self.counters.step()
        return self._values[type(node)](self, node, scope)

    def _constant(self, node: ast.Constant, _scope: Scope) -> Value:
        if isinstance(node.value, int):
            self.counters.whole(node.value.bit_length())
        return node.value

    def _name(self, node: ast.Name, scope: Scope) -> Value:
        return self.look_up(node.id, scope)

    def look_up(self, name: str, scope: Scope) -> Value:
        for names in (scope, self.globals):
            if name in names:
                return names[name]
        if name in FUNCTIONS or name in self.functions or name == "print":
            raise Refused(f"the function {name} used as a value")
        raise ProgramError(f"the name {name!r} has no value")

    def _binary(self, node: ast.BinOp, scope: Scope) -> Value:
        one, two = self.value(node.left, scope), self.value(node.right, scope)
        return BINARY[type(node.op).__name__](one, two, self.counters)

    def _unary(self, node: ast.UnaryOp, scope: Scope) -> Value:
        name = type(node.op).__name__
        if name not in UNARY:
            raise Refused(f"the operator {name}")
        return UNARY[name](self.value(node.operand, scope))

    def _bool(self, node: ast.BoolOp, scope: Scope) -> Value:
        stops = isinstance(node.op, ast.Or)
        value: Value = None
        for part in node.values:
            value = self.value(part, scope)
            if bool(value) == stops:
                return value
        return value

    def _compare(self, node: ast.Compare, scope: Scope) -> Value:
        one = self.value(node.left, scope)
        for operator, part in zip(node.ops, node.comparators, strict=True):
            two = self.value(part, scope)
            self.counters.weigh(one, None if isinstance(two, dict) and isinstance(operator, FINDS) else two)
            if not COMPARE[type(operator).__name__](one, two):
                return False
            one = two
        return True

    def _choose(self, node: ast.IfExp, scope: Scope) -> Value:
        return self.value(node.body if self.value(node.test, scope) else node.orelse, scope)

    def _list(self, node: ast.List, scope: Scope) -> Value:
        return self._elements(node.elts, scope)

    def _tuple(self, node: ast.Tuple, scope: Scope) -> Value:
        return tuple(self._elements(node.elts, scope))

    def _elements(self, nodes: list[ast.expr], scope: Scope) -> list[Value]:
        self.counters.made(len(nodes))
        return [self.value(part, scope) for part in nodes]

    def _dict(self, node: ast.Dict, scope: Scope) -> Value:
        self.counters.made(len(node.keys))
        made: dict[Value, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                raise Refused("** in a dict")
            name = self.value(key, scope)
            self.counters.weigh(name)
            made[name] = self.value(value, scope)
        return made

    def _subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        container, key = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(key, slice):
            self.counters.made(len(container))
        self.counters.weigh(key)
        return container[key]

    def _slice(self, node: ast.Slice, scope: Scope) -> Value:
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if part is None else self.value(part, scope) for part in parts))

    def _joined(self, node: ast.JoinedStr, scope: Scope) -> str:
        found = "".join(str(self.value(part, scope)) for part in node.values)
        self.counters.made(len(found))
        return found

    def _formatted(self, node: ast.FormattedValue, scope: Scope) -> str:
        value = self.value(node.value, scope)
        if node.format_spec is None:
            return text(value, self.counters)
        spec = self.value(node.format_spec, scope)
        return format(value, spec) if isinstance(value, (int, float)) else text(value, self.counters)

    def _call(self, node: ast.Call, scope: Scope) -> Value:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        values = [self.value(argument, scope) for argument in node.args]
        keywords = {str(one.arg): self.value(one.value, scope) for one in node.keywords}
        if name in self.functions:
            if keywords:
                raise Refused(f"{name}() with keywords")
            return self.invoke(self.functions[name], values)
        if name == "print":
            return self._print(values, **keywords)
        if name not in FUNCTIONS:
            raise Refused(f"no function named {name!r}")
        return call(name, self.counters, values, keywords)

    def _print(self, values: list[Value], *, sep: Value = " ", end: Value = "\n") -> None:
        line = str(sep).join(text(value, self.counters) for value in values) + str(end)
        self.counters.made(len(line))
        self.printed.append(line)

    _values: dict[type[ast.expr], Callable[..., Any]] = {
        ast.Constant: _constant, ast.Name: _name, ast.BinOp: _binary, ast.UnaryOp: _unary, ast.BoolOp: _bool,
        ast.Compare: _compare, ast.IfExp: _choose, ast.List: _list, ast.Tuple: _tuple, ast.Dict: _dict,
        ast.Subscript: _subscript, ast.Slice: _slice, ast.JoinedStr: _joined, ast.FormattedValue: _formatted,
        ast.Call: _call,
    }  # fmt: skip
