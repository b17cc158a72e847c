"""Which programs are read at all: a closed list of syntax, checked before anything is evaluated."""

from __future__ import annotations

import ast
import re
import warnings

from operant.sandbox.values import Bounds, Refused

ALLOWED = (
    ast.Module, ast.Expr, ast.Assign, ast.AugAssign, ast.If, ast.While, ast.For, ast.Break, ast.Continue, ast.Pass,
    ast.Return, ast.FunctionDef, ast.arguments, ast.arg, ast.Name, ast.expr_context, ast.Constant, ast.BinOp,
    ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.keyword, ast.List, ast.Tuple, ast.Dict,
    ast.Subscript, ast.Slice, ast.JoinedStr, ast.FormattedValue, ast.boolop, ast.cmpop, ast.unaryop,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow,
)  # fmt: skip
NAMES = {
    ast.Attribute: "attribute access", ast.Import: "import", ast.ImportFrom: "import", ast.Lambda: "lambda",
    ast.NamedExpr: "the walrus operator", ast.ListComp: "a comprehension", ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension", ast.GeneratorExp: "a generator", ast.Yield: "a generator",
    ast.YieldFrom: "a generator", ast.AsyncFunctionDef: "async", ast.Await: "async", ast.AsyncFor: "async",
    ast.ClassDef: "a class", ast.Try: "try", ast.Raise: "raise", ast.With: "with", ast.Match: "match",
    ast.Global: "global", ast.Nonlocal: "nonlocal", ast.Delete: "del", ast.Starred: "a starred expression",
    ast.Set: "a set", ast.Assert: "assert", ast.AnnAssign: "an annotation", ast.MatMult: "the operator @",
    ast.LShift: "a shift", ast.RShift: "a shift",
}  # fmt: skip
# What may follow the colon in an f-string: a thousands separator, up to 99 decimals, one letter.
FORMAT = re.compile(r",?(\.[0-9]{1,2})?[dfeg%]?", re.ASCII)
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def read(source: str, bounds: Bounds) -> ast.Module:
    """The program's tree. Refused names the first thing that is not allowed, and its line."""
    if len(source) > bounds.characters:
        raise Refused(f"a program of {len(source)} characters; at most {bounds.characters} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (RecursionError, MemoryError):
        raise Refused("a program that nests too deeply to be read") from None
    except (SyntaxError, ValueError) as error:
        raise Refused(f"not a program: {error}") from None
    _check(tree, bounds)
    return tree


def _check(tree: ast.Module, bounds: Bounds) -> None:
    """Every node, without recursion; top-level functions only."""
    open_: list[tuple[ast.AST, int, int]] = [(tree, 0, 0)]
    while open_:
        node, depth, line = open_.pop()
        line = getattr(node, "lineno", line)
        problem = _problem(node) or (f"nesting of more than {bounds.depth} levels" if depth > bounds.depth else "")
        if not problem and isinstance(node, ast.FunctionDef) and depth > 1:
            problem = "a function inside something else"
        if problem:
            raise Refused(f"line {line}: {problem} is not allowed")
        open_ += [(child, depth + 1, line) for child in ast.iter_child_nodes(node)]


def _problem(node: ast.AST) -> str:
    """What is wrong with one node by itself; empty for nothing."""
    if not isinstance(node, ALLOWED):
        return NAMES.get(type(node), f"{type(node).__name__}")
    name = _name(node)
    if name is not None and (not NAME.fullmatch(name) or "__" in name):
        return f"the name {name!r}"
    if isinstance(node, ast.Constant) and not isinstance(node.value, (int, float, str, type(None))):
        return f"a constant of type {type(node.value).__name__}"
    if isinstance(node, ast.FunctionDef):
        return _function_problem(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ALLOWED) and not isinstance(node.func, ast.Name):
        return "a call of anything but a name"
    if isinstance(node, ast.FormattedValue):
        return _format_problem(node)
    if isinstance(node, (ast.While, ast.For)) and node.orelse:
        return "else after a loop"
    return ""


def _name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, (ast.arg, ast.keyword)):
        return node.arg or "**"
    return node.name if isinstance(node, ast.FunctionDef) else None


def _function_problem(node: ast.FunctionDef) -> str:
    given = node.args
    if node.decorator_list:
        return "a decorator"
    if node.returns is not None or any(one.annotation for one in given.args):
        return "an annotation"
    if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs or given.defaults:
        return "a parameter other than a plain one"
    return ""


def _format_problem(node: ast.FormattedValue) -> str:
    """f"{x!r}" and wide fields are out: f"{x:>1000000000}" would fill the memory."""
    if node.conversion != -1:
        return "a conversion in an f-string"
    if node.format_spec is None:
        return ""
    parts = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else [node.format_spec]
    if not all(isinstance(part, ast.Constant) for part in parts):
        return "a computed format"
    text = "".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
    return "" if FORMAT.fullmatch(text) else f"the format {text[:20]!r}"
