"""Which pod fields does one published release of the official Python client know?

The client's models are generated from the API server's OpenAPI document of one minor, so each
release is a snapshot of that minor's API. The wheel is read as a zip file and its model classes
are parsed, never imported: two releases cannot be imported side by side, and the newest one needs
packages the oldest one breaks with.
"""

import ast
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MODELS = "kubernetes/client/models/"
_MUST_BE_SET = re.compile(r"Invalid value for `(\w+)`, must not be `None`")
_SCALARS = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "float": "number",
    "object": "object",
    "datetime": "date-time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelField:
    """One member of a model: its JSON name, its type as the client spells it, whether required."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenField:
    """One pod field path in one release. `type` and `owner` use the API's Go struct names."""

    path: str
    type: str
    owner: str
    required: bool


class ClientModels:
    """The models of one client wheel, parsed on demand."""

    def __init__(self, wheel: Path) -> None:
        self._archive = zipfile.ZipFile(wheel)
        self._files = {
            name.removeprefix(_MODELS).removesuffix(".py").replace("_", ""): name
            for name in self._archive.namelist()
            if name.startswith(_MODELS) and name.endswith(".py")
        }
        self._parsed: dict[str, tuple[ModelField, ...]] = {}

    def close(self) -> None:
        """Close the wheel."""
        self._archive.close()

    def fields(self, model: str) -> tuple[ModelField, ...] | None:
        """The members of a model such as `V1PodSpec`; None when there is no such model."""
        file = self._files.get(model.lower())
        if file is None:
            return None
        if model not in self._parsed:
            source = self._archive.read(file).decode()
            self._parsed[model] = tuple(_parse_model(source, model))
        return self._parsed[model]

    def pod_fields(self) -> Iterator[SeenField]:
        """Every field path of a pod's metadata and spec, parents before children."""
        yield from self._walk("metadata", "V1ObjectMeta")
        yield from self._walk("spec", "V1PodSpec")

    def _walk(self, prefix: str, model: str) -> Iterator[SeenField]:
        for member in self.fields(model) or ():
            path = f"{prefix}.{member.name}"
            shown, suffix, inner = _api_type(member.type)
            yield SeenField(
                path=path,
                type=shown,
                owner=f"{_struct_name(model)}.{member.name}",
                required=member.required,
            )
            if inner is not None and self.fields(inner) is not None:
                yield from self._walk(path + suffix, inner)


def _parse_model(source: str, model: str) -> Iterator[ModelField]:
    tree = ast.parse(source)
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == model)
    types = _class_dict(body, "openapi_types")
    names = _class_dict(body, "attribute_map")
    required = _required_by_setter(source) | _required_by_annotation(body)
    for attribute, spelled in types.items():
        yield ModelField(
            name=names[attribute], type=spelled, required=attribute.strip("_") in required
        )


def _class_dict(body: ast.ClassDef, name: str) -> dict[str, str]:
    for node in body.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            target, value = node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            target, value = node.target.id, node.value
        else:
            continue
        if target == name:
            found: dict[str, str] = ast.literal_eval(value)
            return found
    raise ValueError(f"the model {body.name} has no {name}: the client's generator has changed")


def _required_by_setter(source: str) -> set[str]:
    """Releases up to 36: the setter of a required member refuses None."""
    return {name.strip("_") for name in _MUST_BE_SET.findall(source)}


def _required_by_annotation(body: ast.ClassDef) -> set[str]:
    """Releases from 37 on (pydantic): a required member has neither `= None` nor a default."""
    return {
        node.target.id.strip("_")
        for node in body.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not ast.unparse(node.annotation).startswith("ClassVar")
        and _has_no_default(node.value)
    }


def _has_no_default(value: ast.expr | None) -> bool:
    if value is None:
        return True
    if not (isinstance(value, ast.Call) and ast.unparse(value.func) == "Field"):
        return False
    return not any(keyword.arg == "default" for keyword in value.keywords)


def _api_type(spelled: str) -> tuple[str, str, str | None]:
    """The type as the API shows it, the path suffix of its elements, and the element's model."""
    if found := re.fullmatch(r"[Ll]ist\[(.+)\]", spelled):
        shown, _, inner = _api_type(found[1])
        return f"[]{shown}", "[]", inner
    if found := re.fullmatch(r"[Dd]ict(?:\(|\[)str, (.+)[)\]]", spelled):
        shown, _, inner = _api_type(found[1])
        return f"map[string]{shown}", "{}", inner
    if spelled in _SCALARS:
        return _SCALARS[spelled], "", None
    return _struct_name(spelled), "", spelled


def _struct_name(model: str) -> str:
    """`V1PodSpec` and `CoreV1ResourceClaim` are the Go structs PodSpec and ResourceClaim."""
    return re.sub(r"^(Core)?V\d+((alpha|beta)\d+)?", "", model)
