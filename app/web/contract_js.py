"""Writes for the scripts what Python and the browser tell each other: ``python -m app.web.contract_js``.

A contract is a module of :class:`typing.TypedDict` and of names for types, each field and name with a comment
on its line. Of each, the folder of the scripts holds a ``contract.d.ts``, which is not sent to browsers.
"""

import ast
from pathlib import Path

from app.web.assets import DROP_ASSETS, MAP_ASSETS

_APP = Path(__file__).parents[1]
CONTRACTS = {
    _APP / "maps" / "contract.py": MAP_ASSETS.folder / "contract.d.ts",
    _APP / "web" / "drop_contract.py": DROP_ASSETS.folder / "contract.d.ts",
}
_NAMES = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "None": "null"}


def typescript(source: str) -> str:
    """Give the types of a contract as TypeScript.

    Raises
    ------
    ValueError
        If something has no comment, or a type that this does not know.
    """
    lines = source.splitlines()
    module = ast.parse(source)
    parts = ["// Written by `python -m app.web.contract_js`: change the module of Python instead."]
    known = {*_NAMES, *(name for node in module.body if (name := _name(node)))}
    for node in module.body:
        if isinstance(node, ast.ClassDef):
            parts.append(_interface(node, lines, known))
        elif isinstance(node, ast.Assign):
            comment = f"/** {_comment(node, lines)} */\n"
            parts.append(f"{comment}export type {_name(node)} = {_type(node.value, known)};")
    return "\n\n".join(parts) + "\n"


def _name(node: ast.stmt) -> str:
    """Name what a statement defines; nothing if it defines no type."""
    match node:
        case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _interface(node: ast.ClassDef, lines: list[str], known: set[str]) -> str:
    bases = [ast.unparse(base) for base in node.bases if ast.unparse(base) != "TypedDict"]
    partial = any(word.arg == "total" for word in node.keywords)
    parts = [f"/** {' '.join((ast.get_docstring(node) or '').split())} */"]
    parts.append(f"export interface {node.name}{' extends ' if bases else ''}{', '.join(bases)} {{")
    for field in node.body:
        if isinstance(field, ast.AnnAssign):
            kind, optional = field.annotation, partial
            match kind:
                case ast.Subscript(ast.Name("NotRequired"), inner):
                    kind, optional = inner, True
            name = f"{ast.unparse(field.target)}{'?' if optional else ''}"
            parts += [f"  /** {_comment(field, lines)} */", f"  {name}: {_type(kind, known)};"]
    return "\n".join([*parts, "}"])


def _comment(node: ast.stmt, lines: list[str]) -> str:
    _, _, comment = lines[(node.end_lineno or node.lineno) - 1].partition("  # ")
    if not comment:
        raise ValueError(f"Line {node.lineno} does not say in a comment what it means: {ast.unparse(node)}")
    return comment


def _type(node: ast.expr, known: set[str]) -> str:
    """Give a type as TypeScript says it."""
    match node:
        case ast.Constant(value=str(quoted)):
            return _type(ast.parse(quoted, mode="eval").body, known)
        case ast.Name() | ast.Constant() if (name := ast.unparse(node)) in known:
            return _NAMES.get(name, name)
        case ast.BinOp(left, ast.BitOr(), right):
            return f"{_type(left, known)} | {_type(right, known)}"
        case ast.Subscript(ast.Name("Literal"), options):
            listed = options.elts if isinstance(options, ast.Tuple) else [options]
            return " | ".join(f'"{ast.literal_eval(option)}"' for option in listed)
        case ast.Subscript(ast.Name("list"), member):
            inner = _type(member, known)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case ast.Subscript(ast.Name("tuple"), ast.Tuple(members)):
            return f"[{', '.join(_type(member, known) for member in members)}]"
    raise ValueError(f"There is no word for the type {ast.unparse(node)} in TypeScript here.")


if __name__ == "__main__":
    for module, written in CONTRACTS.items():
        written.write_text(typescript(module.read_text()))
