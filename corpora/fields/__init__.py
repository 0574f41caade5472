"""Which fields a pod has, since which Kubernetes minor, and behind which feature gate."""
