"""What does a webhook do wrong? One module a family, one function a code, all pure."""
