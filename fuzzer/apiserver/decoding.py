"""What is left of an object once the API server has decoded it into its Go types?

After a patch the API server decodes the result leniently: fields its types do not know and fields
spelled in the wrong case vanish without a word, a null is as good as absent, quantities are spelled
anew, and a value of the wrong type fails the whole request with a message that does not name the
webhook. What was not touched by the patch is known to decode and is skipped by identity.

Source: k8s.io/apiserver pkg/admission/plugin/webhook/mutating/dispatcher.go callAttrMutatingHook
(a serializer without strictness), sigs.k8s.io/json UnmarshalCaseSensitivePreserveInts,
k8s.io/apimachinery pkg/runtime/serializer/json json.go Serializer.Decode.
"""

from dataclasses import dataclass

from webhook_fuzz.corpora.fields.schemas import FieldSchema
from webhook_fuzz.corpora.json_values import JsonObject, JsonValue, json_type_name
from webhook_fuzz.fuzzer.apiserver.go_types import DecodeError, MismatchError, plan_of

__all__ = ["DecodeError", "Decoded", "decode_object"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What the Go types keep: the same object as the input where nothing was lost or changed.

    `dropped` are the paths of the fields that vanished (`spec.containers[0].foo`), in the order
    met; fields below a dropped one are not named again.
    """

    value: JsonObject
    dropped: tuple[str, ...] = ()


def decode_object(
    value: JsonValue, schema: FieldSchema, *, reuse: JsonObject | None = None
) -> Decoded | DecodeError:
    """Decode a JSON value into the types of a schema.

    `reuse` is an object known to decode without loss (usually the one the patch was applied to):
    every subtree the value shares with it, by identity and at the same kind of place, is taken
    over unseen. Fields `reuse` has that the schema does not know are kept for that reason.
    """
    dropped: list[str] = []
    try:
        if value is None:
            return Decoded(value={})
        if not isinstance(value, dict):
            raise _mismatch_of_document(value)
        if schema.struct == "Pod":
            _check_kind(value)
        decoded = plan_of(schema).members(value, reuse, None, dropped)
        return Decoded(value=decoded, dropped=tuple(dropped))
    except MismatchError as mismatch:
        return mismatch.error
    except RecursionError:
        message = "nested too deep"
        return DecodeError(path="", expected="object", got="object", message=message)


# How Go names the type it looks for apiVersion and kind with.
_TYPE_META = (
    r'struct { APIVersion string "json:\"apiVersion,omitempty\""; '
    r'Kind string "json:\"kind,omitempty\"" }'
)


def _mismatch_of_document(value: JsonValue) -> MismatchError:
    got = json_type_name(value)
    message = (
        f"couldn't get version/kind; json parse error: json: cannot unmarshal {got} into Go value "
        f"of type {_TYPE_META}"
    )
    return MismatchError(DecodeError(path="", expected="object", got=got, message=message))


def _check_kind(pod: JsonObject) -> None:
    """A pod has to stay one; a missing apiVersion or kind is filled in by the server.

    Source: json.go gvkWithDefaults, meta.go SimpleMetaFactory.Interpret.
    """
    for name, expected in (("apiVersion", "v1"), ("kind", "Pod")):
        found = pod.get(name)
        if found is None or found in ("", expected):
            continue
        if isinstance(found, str):
            message = f'the patched object says {name} "{found}" where "{expected}" was sent'
        else:
            got = json_type_name(found)
            message = (
                "couldn't get version/kind; json parse error: json: cannot unmarshal "
                f"{got} into Go struct field .{name} of type string"
            )
        got = json_type_name(found)
        error = DecodeError(path=name, expected=expected, got=got, message=message)
        raise MismatchError(error)
