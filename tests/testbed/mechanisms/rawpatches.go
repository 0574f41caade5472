package mechanisms

import (
	"context"
	"encoding/json"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// rawPod is all that rawPatch reads. It is never written back.
type rawPod struct {
	Metadata struct {
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		InitContainers []namedContainer `json:"initContainers"`
		Containers     []namedContainer `json:"containers"`
	} `json:"spec"`
}

type namedContainer struct {
	Name string `json:"name"`
}

// rawPatch is the control: it writes down only the operations it means, adds at the end of lists
// and never touches what is there, so it can lose nothing, whatever the pod holds.
func rawPatch(_ context.Context, req admission.Request) admission.Response {
	pod := rawPod{}
	if err := json.Unmarshal(req.Object.Raw, &pod); err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	patches := labelPatch(pod.Metadata.Labels)
	patches = append(patches, listPatch(
		"/spec/initContainers", pod.Spec.InitContainers, injectedInitContainer())...)
	patches = append(patches, listPatch(
		"/spec/containers", pod.Spec.Containers, injectedContainer())...)
	return admission.Patched("", patches...)
}

func labelPatch(labels map[string]string) []jsonpatch.Operation {
	switch {
	case labels[InjectedLabel] == "true":
		return nil
	case labels == nil:
		return []jsonpatch.Operation{jsonpatch.NewOperation(
			"add", "/metadata/labels", map[string]string{InjectedLabel: "true"})}
	default: // `/` is written `~1` in a JSON Pointer (RFC 6901, section 3)
		return []jsonpatch.Operation{jsonpatch.NewOperation(
			"add", "/metadata/labels/testbed.example.com~1injected", "true")}
	}
}

func listPatch(
	path string, present []namedContainer, added corev1.Container,
) []jsonpatch.Operation {
	for _, container := range present {
		if container.Name == added.Name {
			return nil
		}
	}
	if present == nil {
		return []jsonpatch.Operation{
			jsonpatch.NewOperation("add", path, []corev1.Container{added})}
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", path+"/-", added)}
}
