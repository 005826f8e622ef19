"""`spec.workspace`: the folder that the agent works in, and what lies in it at the start."""

from typing import Annotated, Literal

from pydantic import Field

from stint.api.base import Model, Rule, Schema
from stint.api.common import KeyReference, LocalReference
from stint.api.scalars import KIB, Name, Quantity, integer, map_list, matching, never, set_list

AccessMode = Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]
RetainPolicy = Literal["Delete", "Retain"]


GitURL = Annotated[
    str,
    Schema(
        never("^[a-z+]+://[^/@]*:[^/@]*@|^https?://[^/]*@", "put the credential into a Secret and name it in secretRef, not into the URL"),
        matching(
            "^(https://[A-Za-z0-9][^/\\s]*/\\S+"
            "|ssh://([A-Za-z0-9._][-A-Za-z0-9._]*@)?[A-Za-z0-9][^/\\s]*/\\S+"
            "|git@[A-Za-z0-9][-A-Za-z0-9.]*:[^-\\s]\\S*"
            "|http://([^/\\s]*@)?[a-z0-9][-a-z0-9.]*\\.svc(\\.cluster\\.local)?(:[0-9]{1,5})?/\\S+)$",
            "write https://host/path, ssh://git@host/path or git@host:path; http:// only for a Service of the cluster (http://name.namespace.svc/path)",
        ),
        maxLength=1024,
        minLength=1,
    ),
]
GitRef = Annotated[
    str,
    Schema(
        matching("^[A-Za-z0-9_][-A-Za-z0-9._/+@#]*$", "write a branch, tag or commit, such as main, v1.2.0 or refs/pull/7/head"),
        never("[.][.]|[.]lock$|/$|//|@[{]", "write a branch, tag or commit that git accepts, without .. or a slash at the end"),
        maxLength=256,
        minLength=1,
    ),
]
FilePath = Annotated[
    str,
    Schema(
        never("(^|/)[.]{0,2}(/|$)", "write a path inside the workspace, such as notes/todo.md: relative, and without . or .. or empty parts"),
        never("(^|/)[.]git(/|$)", "choose a path outside .git: that folder is the clone's own"),
        never("^[.]stint(/|$)", "choose another folder than .stint: that one is Stint's own"),
        never("[[:cntrl:]]", "write a path without control characters"),
        maxLength=512,
        minLength=1,
    ),
]
INLINE_FILES = Rule(
    f"self.map(file, has(file.content) ? size(bytes(file.content)) : 0).sum() <= {64 * KIB}",
    "inline files may have 64 KiB together: put larger ones into a ConfigMap and use configMapKeyRef",
)


class Volume(Model):
    """The PersistentVolumeClaim of the session: workspace and conversation, so that both outlive the pod."""

    size: (
        Annotated[
            Quantity,
            Schema(
                Rule(
                    "!isQuantity(string(self)) || quantity(string(self)).isGreaterThan(quantity('0'))",
                    "write a size greater than zero, such as 1Gi",
                )
            ),
        ]
        | None
    ) = Field(None, description="Size of the volume. Default 1Gi.")
    storage_class_name: Name | None = Field(None, description="StorageClass. Default: the cluster's.")
    access_modes: Annotated[list[AccessMode], set_list(3), Schema(minItems=1)] | None = Field(
        None, description="Access modes. Default ReadWriteOnce."
    )
    retain_policy: RetainPolicy | None = Field(
        None, description="What happens to the volume when the session is deleted: Delete (the default) or Retain."
    )


class Git(Model):
    """A repository that is cloned into the workspace before the agent starts. The agent never sees the credential."""

    url: GitURL = Field(
        description="Address of the repository: https://…, ssh://… or git@host:path; http:// only for a Service of the cluster (*.svc)."
    )
    ref: GitRef | None = Field(None, description="Branch, tag or commit. Default: the repository's default branch.")
    depth: Annotated[int, integer(0, 1_000_000)] | None = Field(None, description="How many commits of history to fetch; 0 fetches all. Default 1.")
    secret_ref: LocalReference | None = Field(
        None,
        description="Secret with token (and optionally username) for https, or ssh-privatekey and known_hosts for ssh.",
    )


class File(Model):
    """A file that is written into the workspace before the agent starts."""

    rules = (
        Rule(
            "[has(self.content), has(self.configMapKeyRef), has(self.secretKeyRef)].filter(given, given).size() == 1",
            "give the file exactly one of content, configMapKeyRef and secretKeyRef",
        ),
    )

    path: FilePath = Field(description="Path, relative to the workspace.")
    content: Annotated[str, Schema(maxLength=128 * KIB)] | None = Field(
        None, description="The content itself; all inline files together may have 64 KiB."
    )
    config_map_key_ref: KeyReference | None = Field(None, description="Take the content from a key of a ConfigMap.")
    secret_key_ref: KeyReference | None = Field(None, description="Take the content from a key of a Secret. The agent can read it.")
    mode: Annotated[int, integer(0, 0o777)] | None = Field(None, description="Permission bits as a decimal number, 420 for 0644. Default 420.")


class Workspace(Model):
    """The folder that the agent works in."""

    rules = (
        Rule(
            "!(has(self.ephemeral) && self.ephemeral && has(self.volume))",
            "an ephemeral workspace has no volume: take out volume, or ephemeral",
            path=".ephemeral",
        ),
    )

    ephemeral: bool | None = Field(
        None,
        description="Keep workspace and conversation in the pod only: starts sooner, but an attempt after a lost pod begins anew, "
        "and the session cannot be resumed or continued.",
    )
    volume: Volume | None = Field(None, description="The volume that keeps workspace and conversation. Default: 1Gi, deleted with the session.")
    git: Git | None = Field(None, description="A repository to clone into the workspace.")
    files: Annotated[list[File], map_list("path", 64, INLINE_FILES)] | None = Field(None, description="Files to write into the workspace.")
