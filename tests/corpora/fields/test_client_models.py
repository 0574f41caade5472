"""Are both styles of the published client read to the same fields?"""

import zipfile
from pathlib import Path

import pytest

from webhook_fuzz.corpora.fields.client_models import ClientModels, SeenField

# Releases up to 36: properties, and setters that refuse None for what is required.
SETTERS = """
class {name}(object):
    openapi_types = {types!r}
    attribute_map = {names!r}

    @name.setter
    def name(self, name):
        if self.local_vars_configuration.client_side_validation and name is None:
            raise ValueError("Invalid value for `name`, must not be `None`")
"""
# Releases from 37 on: pydantic.
PYDANTIC = '''
from typing import ClassVar, Optional
from pydantic import BaseModel, Field, StrictStr


class {name}(BaseModel):
    """Docs."""

    openapi_types: ClassVar[dict] = {types!r}
    attribute_map: ClassVar[dict] = {names!r}
    name: StrictStr = Field(description="A name")
    other: Optional[StrictStr] = None
    third: Optional[StrictStr] = Field(default=None, description="x")
'''
MODELS = {
    "V1ObjectMeta": {"name": ("str", "name"), "labels": ("dict({str})", "labels")},
    "V1PodSpec": {
        "name": ("str", "name"),
        "containers": ("list[V1Container]", "containers"),
        "host_users": ("bool", "hostUsers"),
        "node_selector": ("dict(str, str)", "nodeSelector"),
        "priority": ("int", "priority"),
        "when": ("datetime", "when"),
        "claims": ("list[CoreV1ResourceClaim]", "claims"),
        "anything": ("object", "anything"),
    },
    "V1Container": {"name": ("str", "name"), "_from": ("str", "from")},
    "CoreV1ResourceClaim": {"name": ("str", "name")},
}


def wheel(folder: Path, template: str) -> Path:
    path = folder / "kubernetes-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, members in MODELS.items():
            types = {
                attribute: spelled.replace("({str})", "(str, str)")
                for attribute, (spelled, _) in members.items()
            }
            names = {attribute: json_name for attribute, (_, json_name) in members.items()}
            if template is PYDANTIC:
                types = {k: v.replace("dict(str, str)", "Dict[str, str]") for k, v in types.items()}
                types = {k: v.replace("list[", "List[") for k, v in types.items()}
            file = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
            source = template.format(name=name, types=types, names=names)
            archive.writestr(f"kubernetes/client/models/{file}.py", source)
        archive.writestr("kubernetes/client/models/__init__.py", "")
    return path


@pytest.mark.parametrize("template", [SETTERS, PYDANTIC], ids=["setters", "pydantic"])
def test_every_member_is_read_with_its_json_name_type_and_struct(
    tmp_path: Path, template: str
) -> None:
    models = ClientModels(wheel(tmp_path, template))
    seen = {field.path: field for field in models.pod_fields()}
    models.close()
    assert {path: (field.type, field.owner) for path, field in seen.items()} == {
        "metadata.name": ("string", "ObjectMeta.name"),
        "metadata.labels": ("map[string]string", "ObjectMeta.labels"),
        "spec.name": ("string", "PodSpec.name"),
        "spec.containers": ("[]Container", "PodSpec.containers"),
        "spec.containers[].name": ("string", "Container.name"),
        "spec.containers[].from": ("string", "Container.from"),
        "spec.hostUsers": ("boolean", "PodSpec.hostUsers"),
        "spec.nodeSelector": ("map[string]string", "PodSpec.nodeSelector"),
        "spec.priority": ("integer", "PodSpec.priority"),
        "spec.when": ("date-time", "PodSpec.when"),
        "spec.claims": ("[]ResourceClaim", "PodSpec.claims"),
        "spec.claims[].name": ("string", "ResourceClaim.name"),
        "spec.anything": ("object", "PodSpec.anything"),
    }


@pytest.mark.parametrize("template", [SETTERS, PYDANTIC], ids=["setters", "pydantic"])
def test_what_must_be_set_is_known(tmp_path: Path, template: str) -> None:
    models = ClientModels(wheel(tmp_path, template))
    required = {field.path for field in models.pod_fields() if field.required}
    models.close()
    assert required == {
        "metadata.name",
        "spec.name",
        "spec.containers[].name",
        "spec.claims[].name",
    }


def test_parents_come_before_their_children(tmp_path: Path) -> None:
    models = ClientModels(wheel(tmp_path, SETTERS))
    paths = [field.path for field in models.pod_fields()]
    models.close()
    assert paths.index("spec.containers") < paths.index("spec.containers[].name")


def test_a_model_that_is_not_there_is_none_and_a_strange_one_is_an_error(tmp_path: Path) -> None:
    models = ClientModels(wheel(tmp_path, "class {name}: pass\n"))
    assert models.fields("V1NotThere") is None
    with pytest.raises(ValueError, match="generator has changed"):
        models.fields("V1PodSpec")
    models.close()


def test_a_seen_field_is_a_value() -> None:
    one = SeenField(path="spec.a", type="string", owner="PodSpec.a", required=False)
    assert one == SeenField(path="spec.a", type="string", owner="PodSpec.a", required=False)
