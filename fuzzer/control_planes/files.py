"""Which files do the programs of a control plane and its clients read, and where are they?

All of them are in one folder of mode 0700 that goes with the control plane: tokens and keys in it
are worth nothing afterwards.
"""

import base64
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from webhook_fuzz.corpora.json_values import JsonObject
from webhook_fuzz.fuzzer.control_planes.options import User

ADMINISTRATORS = "system:masters"
"""RBAC asks no further questions of this group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneFiles:
    """The files by what they are for, all below `folder`."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The certificate kube-apiserver makes for itself, with the authority behind it."""
        return self.folder / "apiserver" / "apiserver.crt"

    @property
    def service_account_key(self) -> Path:
        """Signs and verifies the tokens of service accounts."""
        return self.folder / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        """kube-apiserver's --token-auth-file."""
        return self.folder / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.folder / "kubeconfig"

    @property
    def audit_policy(self) -> Path:
        """kube-apiserver's --audit-policy-file."""
        return self.folder / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """One JSON event a line."""
        return self.folder / "audit.log"

    def log(self, name: str) -> Path:
        """Where a program's output goes."""
        return self.folder / f"{name}.log"


def write_service_account_key(file: Path) -> None:
    """A new EC key: one of RSA would take longer than starting etcd."""
    key = ec.generate_private_key(ec.SECP256R1())
    _write_secret(
        file,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
    )


def write_tokens(file: Path, users: Sequence[User]) -> None:
    """A token file: token, user name, uid, groups (pkg/…/token/tokenfile/tokenfile.go)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for user in users:
        writer.writerow([user.token, user.name, user.name, ",".join(user.groups)])
    _write_secret(file, text.getvalue().encode())


def write_audit_policy(file: Path, policy: JsonObject) -> None:
    """JSON is YAML enough for kube-apiserver."""
    file.write_text(json.dumps(policy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a kubeconfig holds: where, whom to trust, who, and the name of the context."""

    url: str
    ca: Path
    user: User
    context: str


def write_kubeconfig(file: Path, login: Login) -> None:
    """A kubeconfig any client can use, wherever it is copied to."""
    authority = base64.b64encode(login.ca.read_bytes()).decode()
    cluster = {"server": login.url, "certificate-authority-data": authority}
    context = {"cluster": login.context, "user": login.user.name}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": login.context,
        "contexts": [{"name": login.context, "context": context}],
        "clusters": [{"name": login.context, "cluster": cluster}],
        "users": [{"name": login.user.name, "user": {"token": login.user.token}}],
    }
    _write_secret(file, yaml.safe_dump(document, sort_keys=False).encode())


def _write_secret(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
