// The webhooks of one generation of Kubernetes' Go modules: see go.mod for which.
package main

import (
	// Named so that go.mod pins them: the shared code alone would leave them marked indirect.
	_ "github.com/slok/kubewebhook/v2/pkg/webhook/mutating"
	_ "k8s.io/api/core/v1"
	_ "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"example.com/webhook-fuzz/testbed/mechanisms"
	"example.com/webhook-fuzz/testbed/mechanisms/kubewebhooks"
	"example.com/webhook-fuzz/testbed/mechanisms/serving"
)

func main() { serving.Main(mechanisms.Handlers(), kubewebhooks.Handlers()) }
