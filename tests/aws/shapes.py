"""Values held against the shapes of AWS's service models."""

import functools
import math
import re
from datetime import datetime


class Faults(list):
    def add(self, where, what):
        self.append(f"{where or '(request)'}: {what}")


def members_of(shape):
    return shape.members if shape is not None else {}


def check(shape, value, where, faults):
    {
        "structure": check_structure, "list": check_list, "map": check_map, "string": check_string,
        "integer": check_number, "long": check_number, "float": check_number, "double": check_number,
        "boolean": check_boolean, "blob": check_blob, "timestamp": check_timestamp,
    }[shape.type_name](shape, value, where, faults)


def check_structure(shape, value, where, faults):
    if not isinstance(value, dict):
        return faults.add(where, f"is {kind(value)}, not a structure")
    names = {member.serialization.get("name", name): (name, member) for name, member in shape.members.items()}
    for sent in value.keys() - names.keys():
        faults.add(f"{where}.{sent}", "there is no such member")
    for name in shape.required_members:
        wire = shape.members[name].serialization.get("name", name)
        if value.get(wire) is None:
            faults.add(f"{where}.{wire}", "is required and missing")
    for sent, (_, member) in names.items():
        if value.get(sent) is not None:
            check(member, value[sent], f"{where}.{sent}", faults)


def check_list(shape, value, where, faults):
    if not isinstance(value, list):
        return faults.add(where, f"is {kind(value)}, not a list")
    check_bounds(shape, len(value), "items", where, faults)
    for index, item in enumerate(value):
        check(shape.member, item, f"{where}[{index}]", faults)


def check_map(shape, value, where, faults):
    if not isinstance(value, dict):
        return faults.add(where, f"is {kind(value)}, not a map")
    check_bounds(shape, len(value), "entries", where, faults)
    for key, item in value.items():
        check(shape.key, key, f"{where} key `{key}`", faults)
        check(shape.value, item, f"{where}[{key}]", faults)


def check_string(shape, value, where, faults):
    if not isinstance(value, str):
        return faults.add(where, f"is {kind(value)}, not a string")
    if shape.enum and value not in shape.enum:
        faults.add(where, f"`{value}` is none of {', '.join(shape.enum)}")
    pattern = shape.metadata.get("pattern")
    if pattern and not fits(pattern, value):
        faults.add(where, f"`{value[:80]}` does not fit `{pattern}`")
    check_bounds(shape, len(value), "characters", where, faults)


@functools.cache
def compiled(pattern):
    # Java's character classes; those of other dialects are left unchecked.
    for java, python in (("\\p{L}", r"[^\W\d_]"), ("\\p{Z}", r"\s"), ("\\p{N}", r"\d")):
        if f"[{java}" not in pattern:
            pattern = pattern.replace(java, python)
    pattern = pattern.replace("\\p{Z}", r"\s").replace("\\p{L}\\p{N}", r"\w").replace("\\p{L}", r"\w").replace("\\p{N}", r"\d")
    pattern = pattern.replace("\\p{Punct}", r"!-/:-@\[-`{-~")
    try:
        return re.compile(pattern)
    except re.error:
        return None


def fits(pattern, value):
    known = compiled(pattern)
    return known is None or known.fullmatch(value) is not None


def check_number(shape, value, where, faults):
    whole = shape.type_name in ("integer", "long")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return faults.add(where, f"is {kind(value)}, not a number")
    if whole and not (isinstance(value, int) or value.is_integer()):
        return faults.add(where, f"{value} is no whole number")
    if not math.isfinite(value):
        return faults.add(where, f"{value} is no finite number")
    check_bounds(shape, value, "", where, faults)


def check_boolean(shape, value, where, faults):
    if not isinstance(value, bool):
        faults.add(where, f"is {kind(value)}, not a boolean")


def check_blob(shape, value, where, faults):
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", value) or len(value) % 4:
        faults.add(where, "is not base64")


def check_timestamp(shape, value, where, faults):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        faults.add(where, f"`{value}` is no time")


def check_bounds(shape, size, unit, where, faults):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and size < low:
        faults.add(where, f"{size} {unit}".strip() + f" is below {low}")
    if high is not None and size > high:
        faults.add(where, f"{size} {unit}".strip() + f" is above {high}")


def kind(value):
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "a structure"}
    return "null" if value is None else names[type(value)]


def from_text(shape, text, where, faults):
    """A value that travels as text: in a path, a query, a header, a form, XML."""
    match shape.type_name:
        case "integer" | "long":
            if not re.fullmatch(r"-?\d+", text):
                faults.add(where, f"`{text}` is no whole number")
                return None
            return int(text)
        case "float" | "double":
            try:
                return float(text)
            except ValueError:
                faults.add(where, f"`{text}` is no number")
                return None
        case "boolean":
            if text not in ("true", "false"):
                faults.add(where, f"`{text}` is no boolean")
                return None
            return text == "true"
    return text


def check_text(shape, text, where, faults):
    value = from_text(shape, text, where, faults)
    if value is not None and shape.type_name not in ("timestamp", "blob"):
        check(shape, value, where, faults)
