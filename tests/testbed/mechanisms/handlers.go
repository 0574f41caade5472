package mechanisms

import (
	"context"
	"encoding/json"
	"net/http"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Handlers is every mechanism built on controller-runtime, by the path it is served at.
func Handlers() map[string]http.Handler {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		panic(err) // only a programming error can make it fail
	}
	return map[string]http.Handler{
		"/patch-response-from-raw": handWritten(patchResponseFromRaw(scheme, last)),
		"/defaulter-append":        defaulting(scheme, last),
		"/defaulter-prepend":       defaulting(scheme, first),
		"/typed-diff-append":       handWritten(typedDiff(scheme, last)),
		"/typed-diff-prepend":      handWritten(typedDiff(scheme, first)),
		"/raw-patch":               handWritten(rawPatch),
		"/needs-annotation":        handWritten(needsAnnotation(patchResponseFromRaw(scheme, last))),
	}
}

func handWritten(handle admission.HandlerFunc) http.Handler {
	return &admission.Webhook{Handler: handle}
}

// patchResponseFromRaw decodes the pod into the Go type, changes it, marshals it again, and has
// controller-runtime compare the result with the raw request. A field that the Go type lacks is
// in the request and not in the result, so the comparison yields a `remove` for it. No version of
// controller-runtime protects a handler that is written like this.
func patchResponseFromRaw(scheme *runtime.Scheme, where position) admission.HandlerFunc {
	decoder := admission.NewDecoder(scheme)
	return func(_ context.Context, req admission.Request) admission.Response {
		pod := &corev1.Pod{}
		if err := decoder.Decode(req, pod); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		inject(pod, where)
		result, err := json.Marshal(pod)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		return admission.PatchResponseFromRaw(req.Object.Raw, result)
	}
}

// podDefaulter is controller-runtime's CustomDefaulter. Until 0.19 the framework does with it
// exactly what patchResponseFromRaw does. Since 0.20 it leaves out the `remove` operations that
// the decoding alone would have caused, so that appending loses nothing; but patches go by index,
// and when an element is put in front, what was not removed stays with the wrong container.
type podDefaulter struct{ where position }

func (d podDefaulter) Default(_ context.Context, obj runtime.Object) error {
	inject(obj.(*corev1.Pod), d.where)
	return nil
}

func defaulting(scheme *runtime.Scheme, where position) http.Handler {
	return admission.WithCustomDefaulter(scheme, &corev1.Pod{}, podDefaulter{where: where})
}

// typedDiff compares typed with typed: the decoded pod before and after the change, both
// marshalled. Fields that the Go type lacks are in neither, so no operation ever names them:
// nothing is removed, and when an element is put in front they stay behind at their index.
func typedDiff(scheme *runtime.Scheme, where position) admission.HandlerFunc {
	decoder := admission.NewDecoder(scheme)
	return func(_ context.Context, req admission.Request) admission.Response {
		pod := &corev1.Pod{}
		if err := decoder.Decode(req, pod); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		patches, err := diffOf(pod, where)
		if err != nil {
			return admission.Errored(http.StatusInternalServerError, err)
		}
		return admission.Patched("", patches...)
	}
}

func diffOf(pod *corev1.Pod, where position) ([]jsonpatch.Operation, error) {
	before, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	inject(pod, where)
	after, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreatePatch(before, after)
}

// needsAnnotation acts only on pods that ask for it. Without the annotation it answers without
// decoding anything: calling it with an ordinary pod proves nothing about it.
func needsAnnotation(act admission.HandlerFunc) admission.HandlerFunc {
	return func(ctx context.Context, req admission.Request) admission.Response {
		var pod struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
		}
		if err := json.Unmarshal(req.Object.Raw, &pod); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		if pod.Metadata.Annotations[InjectAnnotation] != "true" {
			return admission.Allowed("")
		}
		return act(ctx, req)
	}
}
