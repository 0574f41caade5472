from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.apiserver.attributes import pod_attributes

POD: JsonObject = {
    "metadata": {"name": "p", "labels": {}, "annotations": None},
    "spec": {"hostNetwork": False, "containers": [{"name": "c", "image": "i", "args": []}]},
}


def test_the_namespace_is_filled_in_and_empty_labels_are_left_out() -> None:
    attributes = pod_attributes(POD, namespace="shop")
    assert attributes.object is not None
    assert attributes.object["metadata"] == {"name": "p", "namespace": "shop"}
    assert (attributes.name, attributes.namespace, attributes.kind) == ("p", "shop", "Pod")
    assert POD["metadata"] == {"name": "p", "labels": {}, "annotations": None}


def test_what_the_api_server_may_still_change_is_unsettled() -> None:
    unsettled = pod_attributes(POD, namespace="shop").unsettled
    assert {"hostNetwork", "args", "serviceAccountName", "uid"} <= unsettled
    assert "image" not in unsettled
    assert not pod_attributes(POD, namespace="shop", settled=True).unsettled


def test_the_object_is_where_the_operation_has_it() -> None:
    created = pod_attributes(POD, namespace="shop")
    assert created.old_object is None
    deleted = pod_attributes(POD, namespace="shop", operation="DELETE")
    assert deleted.object is None
    assert deleted.old_object is not None
    updated = pod_attributes(POD, namespace="shop", operation="UPDATE")
    assert updated.object == updated.old_object


def test_a_pod_without_a_name_has_none() -> None:
    assert pod_attributes({"metadata": {"generateName": "p-"}}, namespace="shop").name == ""
    assert pod_attributes({}, namespace="shop").object == {"metadata": {"namespace": "shop"}}
