"""Brings a built image into an embedded cluster."""

from pathlib import Path

from devcluster import Cluster, DevclusterError
from imagebuild.build import Built
from imagebuild.errors import BuildError


def into_embedded(cluster: Cluster, image: Built) -> None:
    """Try the small archive first: containerd refuses it unless it has the stem's layers, and then gets the whole."""
    if image.archive is None or image.delta is None:
        raise BuildError("The embedded cluster takes images that buildah has built, not those that Docker keeps.")
    try:
        cluster.load(Path(image.delta))
    except DevclusterError:
        cluster.load(Path(image.archive))
