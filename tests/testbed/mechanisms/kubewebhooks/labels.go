// Package kubewebhooks answers: what does a webhook lose that is written with
// github.com/slok/kubewebhook?
//
// It is a package of its own because only some generations have a version of it that compiles.
package kubewebhooks

import (
	"context"
	"net/http"

	kubewebhookhttp "github.com/slok/kubewebhook/v2/pkg/http"
	"github.com/slok/kubewebhook/v2/pkg/model"
	"github.com/slok/kubewebhook/v2/pkg/webhook/mutating"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"example.com/webhook-fuzz/testbed/mechanisms"
)

// Handlers serves a mutator that only sets a label. The framework hands it the decoded pod and
// compares what it gives back with the raw request, on every pod, even where the mutator changed
// nothing: a field that the Go type lacks is removed by a webhook that never looks at containers.
func Handlers() map[string]http.Handler {
	webhook, err := mutating.NewWebhook(mutating.WebhookConfig{
		ID:      "testbed-labels",
		Obj:     &corev1.Pod{},
		Mutator: mutating.MutatorFunc(label),
	})
	if err != nil {
		panic(err) // only a programming error can make it fail
	}
	handler, err := kubewebhookhttp.HandlerFor(kubewebhookhttp.HandlerConfig{Webhook: webhook})
	if err != nil {
		panic(err)
	}
	return map[string]http.Handler{"/kubewebhook": handler}
}

func label(
	_ context.Context, _ *model.AdmissionReview, obj metav1.Object,
) (*mutating.MutatorResult, error) {
	labels := obj.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[mechanisms.InjectedLabel] = "true"
	obj.SetLabels(labels)
	return &mutating.MutatorResult{MutatedObject: obj}, nil
}
