"""The changes that can be made to a module, one at a time."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {
    name: other
    for pair in ("min max", "any all", "first last", "lower upper", "startswith endswith", "filter exclude")
    for name, other in (pair.split(), pair.split()[::-1])
}
_NO_BEHAVIOUR = {"property", "staticmethod", "classmethod", "abstractmethod", "overload", "runtime_checkable"}


@dataclass(frozen=True)
class Mutation:
    """One change: the line, its text and what is changed; `place` and `variant` say how it is made."""

    module: str
    line: int
    text: str
    change: str
    is_in_function: bool
    place: int
    variant: int

    @property
    def name(self) -> tuple[str, str, str]:
        """What stays the same while the lines of the module move."""
        return self.module, self.text, self.change


def mutations_of(module: str, source: str) -> Iterator[Mutation]:
    """Yield every change of a module, in the order of its nodes."""
    lines, nodes = source.splitlines(), _nodes(source)
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    bodies = [body for node in functions for body in (node.body if isinstance(node.body, list) else [node.body])]
    inside = {line for body in bodies for line in range(body.lineno, (body.end_lineno or body.lineno) + 1)}
    skipped = {inner for node in nodes for part in _without_effect(node) for inner in ast.walk(part)}
    for place, node in enumerate(nodes):
        if node in skipped:
            continue
        for variant, (change, _) in enumerate(_variants(node)):
            line = _line(node)
            yield Mutation(module, line, lines[line - 1].strip(), change, line in inside, place, variant)


def mutated(source: str, mutation: Mutation) -> ast.Module:
    """Return a module with a change."""
    nodes = _nodes(source)
    node: Any = nodes[mutation.place]
    _, changed = list(_variants(node))[mutation.variant]
    ast.copy_location(changed, node)
    node.__class__, node.__dict__ = changed.__class__, dict(vars(changed))
    module = nodes[0]
    assert isinstance(module, ast.Module)
    return ast.fix_missing_locations(module)


def _nodes(source: str) -> list[ast.AST]:
    tree = ast.parse(source)
    _drop_what_is_not_run(tree)
    return list(ast.walk(tree))


def _without_effect(node: ast.AST) -> list[ast.expr]:
    """Return annotations, decorators with sizes of memories, and columns, which the check of migrations guards."""
    if isinstance(node, ast.AnnAssign):
        return [node.annotation]
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and "Field" in ast.unparse(node.value.func):
        return [node.value]
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return decorators


def _drop_what_is_not_run(tree: ast.Module) -> None:
    """Take annotations and docstrings away, and what only type checkers read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [each for each in body if not _is_text_or_typing(each)] or [ast.Pass()]
    ast.fix_missing_locations(tree)


def _is_text_or_typing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _line(node: Any) -> int:
    while not hasattr(node, "lineno"):  # a comprehension
        node = next(ast.iter_child_nodes(node))
    return int(node.lineno)


def _variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:  # noqa: C901, PLR0912 - a list of kinds
    """Yield what a node can be changed into, each with its name."""
    match node:
        case ast.Compare(ops=[first, *_]):
            for other in COMPARISONS[type(first)]:
                yield f"{_name(first)} → {other.__name__}", _with(node, ops=[other(), *node.ops[1:]])
        case ast.BoolOp(values=values):
            other_op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield f"{_name(node.op)} → {_name(other_op)}", _with(node, op=other_op)
            for place, value in enumerate(values):
                rest = [*values[:place], *values[place + 1 :]]
                yield f"without {ast.unparse(value)}", _with(node, values=rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not()):
            yield "without not", node.operand
        case ast.BinOp() if type(node.op) in OPERATORS and not _is_text(node):
            other_operator = OPERATORS[type(node.op)]()
            yield f"{_name(node.op)} → {_name(other_operator)}", _with(node, op=other_operator)
        case ast.If() | ast.IfExp():
            yield "if not", _with(node, test=ast.UnaryOp(op=ast.Not(), operand=node.test))
            yield "if False", _with(node, test=ast.Constant(value=False))
        case ast.Constant(value=bool() as flag):
            yield f"{flag} → {not flag}", ast.Constant(value=not flag)
        case ast.Constant(value=int() as number):
            yield f"{number} → {number + 1}", ast.Constant(value=number + 1)
        case ast.Return(value=ast.expr()) if not _is_none(node.value):
            yield "return None", _with(node, value=ast.Constant(value=None))
            yield "return True", _with(node, value=ast.Constant(value=True))
        case ast.Raise():
            yield "without raise", ast.Pass()
        case ast.Expr(value=ast.Call() | ast.YieldFrom() | ast.Await()):
            yield "without the call", ast.Pass()
        case ast.AugAssign():
            yield "without the assignment", ast.Pass()
        case ast.Call():
            for place, keyword in enumerate(node.keywords):
                if keyword.arg:
                    yield (
                        f"without {keyword.arg}=",
                        _with(node, keywords=[*node.keywords[:place], *node.keywords[place + 1 :]]),
                    )
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in NAMES:
            field = "attr" if isinstance(node, ast.Attribute) else "id"
            yield f"{name} → {NAMES[name]}", _with(node, **{field: NAMES[name]})
        case ast.comprehension(ifs=[_, *_]):
            yield "without its filter", _with(node, ifs=[])
        case ast.ExceptHandler(body=[*_, last]) if not (isinstance(last, ast.Raise) and last.exc is None):
            yield "except raises", _with(node, body=[ast.Raise()])
        case ast.Set(elts=elements) | ast.Tuple(elts=elements, ctx=ast.Load()) if _is_list_of_names(elements):
            for place, element in enumerate(elements):
                rest = [*elements[:place], *elements[place + 1 :]]
                yield f"without {ast.unparse(element)}", _with(node, elts=rest)
        case ast.FunctionDef(decorator_list=[_, *_]) | ast.AsyncFunctionDef(decorator_list=[_, *_]):
            for decorator in node.decorator_list:
                if ast.unparse(decorator) not in _NO_BEHAVIOUR:
                    rest = [each for each in node.decorator_list if each is not decorator]
                    yield f"without @{ast.unparse(decorator)}", _with(node, decorator_list=rest)


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _name(node: ast.AST) -> str:
    return type(node).__name__


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(each, ast.JoinedStr | ast.List | ast.Tuple) or _is_string(each) for each in (node.left, node.right)
    )


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_list_of_names(elements: list[ast.expr]) -> bool:
    return len(elements) > 1 and all(_is_string(each) for each in elements)
