"""Docstrings as the reference shows them: what our sections say in words stays words.

Types live in signatures here, so that "Returns" holds sentences and the fields that are set, which a parser
of numpydoc would take for types. A comment behind a field is its description.
"""

import re
from typing import Any

import griffe

_HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
_IN_WORDS = {"Returns", "Yields", "References", "See Also"}
_ROLE = re.compile(r":\w+:`~?([\w.]+)`")
_NAME = re.compile(r"(?<!`)`(squint(?:\.\w+)+)`(?!`)")
_COMMENT = re.compile(r"^[^#]*?[^#\s].*?\s+# (.+)$")
_MARKS = re.compile(r"(`[^`]*`)|([\[\]*_<])")  # of Markdown, in which comments write code and nothing else


class Docstrings(griffe.Extension):
    """Rewrites docstrings once their module is read."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Parse the docstring of an object, part by part."""
        if obj.is_attribute and obj.docstring is None:
            comment = _comment(obj)
            obj.docstring = griffe.Docstring(comment, parent=obj) if comment else None
        if obj.docstring is not None:
            # `parsed` is worked out when it is first asked for, unless it is there.
            vars(obj.docstring)["parsed"] = _sections(obj.docstring.value, obj)


def _comment(obj: griffe.Object) -> str | None:
    """Give the comment at the end of an attribute's line, the last one where there are several lines."""
    found = [match[1] for match in map(_COMMENT.match, obj.lines) if match]
    if not found:
        return None
    words = found[-1][0].upper() + found[-1][1:]
    return _MARKS.sub(lambda match: match[1] or f"\\{match[2]}", words)


def _sections(text: str, obj: griffe.Object) -> list[griffe.DocstringSection]:
    """Cut a docstring at its headings, and parse what the parser understands."""
    text = _linked(text)
    ends = [*(found.start() for found in _HEADING.finditer(text)), len(text)]
    sections: list[griffe.DocstringSection] = []
    for start, end in zip([0, *ends], ends, strict=False):
        part = text[start:end].strip("\n")
        heading = _HEADING.match(f"{part}\n")
        if heading and heading[1] in _IN_WORDS:
            body = f"{part}\n"[heading.end() :]
            sections.append(griffe.DocstringSectionText(f"**{heading[1]}:**\n\n{_as_markdown(body)}"))
        elif part:
            sections += griffe.Docstring(part, parent=obj, parser="numpy").parse()
    return sections


def _linked(text: str) -> str:
    """Turn the names of other objects into links, where they are in the reference."""
    text = _ROLE.sub(r"`\1`", text).replace("::\n\n", ":\n\n")
    return _NAME.sub(r'<autoref identifier="\1" optional>`\1`</autoref>', text)


def _as_markdown(body: str) -> str:
    """Turn terms with indented descriptions into a list of definitions; sentences stay as they are."""
    lines = body.rstrip("\n").split("\n")
    written: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith(" ") and following.startswith("    "):
            written += ["", line]  # a term: a blank line sets it apart
        elif line.startswith("    ") and written and written[-1] and not written[-1].startswith((":", " ")):
            written.append(f":   {line[4:]}")
        else:
            written.append(line)
    return "\n".join(written)
