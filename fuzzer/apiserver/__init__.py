"""What kube-apiserver does before, around and after calling a webhook, as pure functions."""
