// A control plane in one program: etcd, kube-apiserver and kube-controller-manager as
// sub-commands. The go.mod files beside this one say of which Kubernetes version.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // what the real programs export
	_ "k8s.io/component-base/metrics/prometheus/version"  // likewise
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		fail("which one?")
	}
	name := os.Args[1]
	// Each takes its flags from os.Args, as if it had been started under its own name.
	os.Args = os.Args[1:]
	switch name {
	case "etcd":
		etcdmain.Main(os.Args)
	case "kube-apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "kube-controller-manager":
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	default:
		fail(name + " is not in here")
	}
}

func fail(what string) {
	fmt.Fprintln(os.Stderr, what+": etcd, kube-apiserver or kube-controller-manager")
	os.Exit(2)
}
