// Package mechanisms answers: in which ways do real mutating webhooks turn the pod they were sent
// into a JSON Patch, and what becomes of the fields they do not know?
//
// Every mechanism makes the same harmless change (a label, an init container, a container). They
// differ only in how the patch comes about, because that alone decides what is lost.
package mechanisms

import corev1 "k8s.io/api/core/v1"

const (
	// InjectedLabel is set on every pod that was changed.
	InjectedLabel = "testbed.example.com/injected"
	// InjectAnnotation, when "true", is what NeedsAnnotation waits for.
	InjectAnnotation = "testbed.example.com/inject"
	// InitContainerName and ContainerName are the injected containers.
	InitContainerName = "testbed-setup"
	ContainerName     = "testbed-agent"
)

// position says where the injected containers go: at the end of the list or at its beginning.
type position bool

const (
	last  position = false
	first position = true
)

func injectedInitContainer() corev1.Container {
	return corev1.Container{Name: InitContainerName, Image: "registry.example.com/testbed/setup:1"}
}

func injectedContainer() corev1.Container {
	return corev1.Container{Name: ContainerName, Image: "registry.example.com/testbed/agent:1"}
}

// inject changes the pod in place; a pod that was changed before stays as it is (idempotent).
func inject(pod *corev1.Pod, where position) {
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[InjectedLabel] = "true"
	pod.Spec.InitContainers = with(pod.Spec.InitContainers, injectedInitContainer(), where)
	pod.Spec.Containers = with(pod.Spec.Containers, injectedContainer(), where)
}

func with(containers []corev1.Container, added corev1.Container, where position) []corev1.Container {
	for _, container := range containers {
		if container.Name == added.Name {
			return containers
		}
	}
	if where == first {
		return append([]corev1.Container{added}, containers...)
	}
	return append(containers, added)
}
