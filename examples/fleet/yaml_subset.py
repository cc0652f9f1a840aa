"""Reads the part of YAML that the fleet's bundles are written in, with the standard library only.

Block mappings and sequences, one-line flow collections, quoted and plain scalars, comments. Whatever YAML readers disagree
about (bare yes/no/on/off, null, floats, anchors, block scalars, tabs, repeated keys) is refused, so that this reader and a
full one cannot read two different policies out of the same bytes.
"""
import re

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?\Z")
_AMBIGUOUS = {"yes", "no", "on", "off", "y", "n", "null", "~", "true", "false"}
_KEY = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*):(?:\s+(.*))?\Z")


class YamlError(ValueError):
    """The text is outside the subset; the message gives the line."""


def load(text):
    """Returns the document as dicts, lists, strings, integers and booleans."""
    lines = []
    for number, raw in enumerate(text.split("\n"), 1):
        if "\t" in raw:
            raise YamlError("line %d: tab" % number)
        bare = _without_comment(raw).rstrip()
        if bare.strip():
            lines.append((number, len(bare) - len(bare.lstrip(" ")), bare.strip()))
    if not lines:
        raise YamlError("line 1: empty document")
    value, after = _block(lines, 0, lines[0][1])
    if after != len(lines):
        raise YamlError("line %d: unexpected indentation" % lines[after][0])
    return value


def _without_comment(line):
    quote = None
    for at, char in enumerate(line):
        if quote:
            quote = None if char == quote else quote
        elif char in "'\"" and (at == 0 or line[at - 1] in " [{,:-'"):  # a quote after a quote is '' within a value
            quote = char
        elif char == "#" and (at == 0 or line[at - 1] == " "):
            return line[:at]
    return line


def _block(lines, at, indent):
    if lines[at][2].startswith("- ") or lines[at][2] == "-":
        return _sequence(lines, at, indent)
    return _mapping(lines, at, indent)


def _sequence(lines, at, indent):
    items = []
    while at < len(lines) and lines[at][1] == indent and lines[at][2].startswith("- "):
        number, _, text = lines[at]
        rest = text[2:].lstrip()
        if _KEY.match(rest):
            inner = indent + len(text) - len(rest)
            lines[at] = (number, inner, rest)
            value, at = _mapping(lines, at, inner)
        else:
            value, at = _inline(rest, number), at + 1
        items.append(value)
    return items, at


def _mapping(lines, at, indent):
    result = {}
    while at < len(lines) and lines[at][1] == indent:
        number, _, text = lines[at]
        found = _KEY.match(text)
        if not found:
            raise YamlError("line %d: expected 'key: value'" % number)
        key, rest = found.group(1), found.group(2)
        if key in result:
            raise YamlError("line %d: key %s is repeated" % (number, key))
        if rest:
            result[key], at = _inline(rest, number), at + 1
        elif at + 1 < len(lines) and lines[at + 1][1] > indent:
            result[key], at = _block(lines, at + 1, lines[at + 1][1])
        else:
            raise YamlError("line %d: key %s has no value" % (number, key))
    return result, at


def _inline(text, number):
    value, rest = _flow(text, number, nested=False)
    if rest.strip():
        raise YamlError("line %d: text after the value: %s" % (number, rest.strip()))
    return value


def _flow(text, number, nested):
    text = text.lstrip()
    if text.startswith("["):
        return _flow_list(text[1:], number)
    if text.startswith("{"):
        return _flow_map(text[1:], number)
    if text[:1] in ("'", '"'):
        return _quoted(text, number)
    end = len(text)
    if nested:
        end = min([text.find(stop) for stop in ",]}" if stop in text] or [end])
    return _plain(text[:end].strip(), number), text[end:]


def _flow_list(text, number):
    items = []
    while not text.lstrip().startswith("]"):
        value, text = _flow(text, number, nested=True)
        items.append(value)
        text = _separator(text, "]", number)
    return items, text.lstrip()[1:]


def _flow_map(text, number):
    result = {}
    while not text.lstrip().startswith("}"):
        found = re.match(r"\s*([A-Za-z_][A-Za-z0-9_]*):\s+", text)
        if not found or found.group(1) in result:
            raise YamlError("line %d: bad or repeated key in { }" % number)
        result[found.group(1)], text = _flow(text[found.end():], number, nested=True)
        text = _separator(text, "}", number)
    return result, text.lstrip()[1:]


def _separator(text, closing, number):
    text = text.lstrip()
    if text.startswith(","):
        return text[1:]
    if not text.startswith(closing):
        raise YamlError("line %d: expected ',' or '%s'" % (number, closing))
    return text


def _quoted(text, number):
    quote, end, out = text[0], 1, []
    while end < len(text):
        if text[end] == quote and quote == "'" and text[end + 1:end + 2] == "'":
            out.append("'")
            end += 2
        elif text[end] == quote:
            return "".join(out), text[end + 1:]
        elif text[end] == "\\" and quote == '"':
            raise YamlError("line %d: use single quotes around a backslash" % number)
        else:
            out.append(text[end])
            end += 1
    raise YamlError("line %d: quote is not closed" % number)


def _plain(text, number):
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.match(text):
        return int(text)
    if not text or text.lower() in _AMBIGUOUS or _FLOAT.match(text) or text[0] in "&*!|>%@`?" or ": " in text or text[-1] == ":":
        raise YamlError("line %d: quote this value: %s" % (number, text))
    return text
