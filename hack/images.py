"""Builds Stint's images.

    python hack/images.py build [operator agent mockapi] [--engine buildah|docker]     prints JSON: name, reference, archive
    python hack/images.py load --cluster stint                                         builds, and loads into the embedded cluster
    python hack/images.py stage operator                                               only the build context, for a builder of your own
    python hack/images.py pin 2.1.330                                                  another version of the Claude Code CLI
    python hack/images.py prune --all                                                  forget what was built, down to the Debian packages

The package imagebuild says how it works.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

try:
    from devcluster import Cluster, DevclusterError
    from imagebuild import claude, engines, recipe
    from imagebuild.build import Built, build, choose_engine
    from imagebuild.errors import BuildError
    from imagebuild.load import into_embedded
    from imagebuild.stage import stage
    from imagebuild.store import Store, cache_folder
    from steps import Steps
except ModuleNotFoundError as error:
    sys.exit(f"{error}: run this with the project's Python, after `make setup`: .venv/bin/python hack/images.py")


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except (BuildError, DevclusterError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="images.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    for name, action in (("build", run_build), ("load", run_load), ("skaffold", run_skaffold)):
        command = commands.add_parser(name)
        command.set_defaults(run=action)
        command.add_argument("names", nargs="*", metavar="IMAGE", help="operator, agent, mockapi (default: these), sshserver (for tests)")
        command.add_argument("--engine", choices=("buildah", "docker"), help="default: buildah for root on Linux, else docker")
        command.add_argument("--base", default=os.environ.get("STINT_BASE_IMAGE"), help="with docker: the image to build on")
        if name == "load":
            command.add_argument("--cluster", default="stint", help="name of the embedded cluster")
    staging = commands.add_parser("stage")
    staging.set_defaults(run=run_stage)
    staging.add_argument("names", nargs="*", metavar="IMAGE")
    pinning = commands.add_parser("pin")
    pinning.set_defaults(run=run_pin)
    pinning.add_argument("version")
    pruning = commands.add_parser("prune")
    pruning.set_defaults(run=run_prune)
    pruning.add_argument("--all", action="store_true", help="everything, not only what newer builds have replaced")
    return top


def images_in(options: argparse.Namespace) -> list[str]:
    """The images named on the command line, each once; without one, those that Stint is made of."""
    names = list(dict.fromkeys(options.names)) or list(recipe.IMAGES)
    unknown = [name for name in names if name not in recipe.ALL_IMAGES]
    if unknown:
        raise BuildError(
            f"There is no image {', '.join(unknown)}: the images are {', '.join(recipe.IMAGES)}, and for tests {', '.join(recipe.TEST_IMAGES)}."
        )
    return names


def built(options: argparse.Namespace) -> dict[str, Built]:
    engine = options.engine or choose_engine(engines.docker_works)
    return build(images_in(options), engine, Steps(), options.base)


def run_build(options: argparse.Namespace) -> None:
    print(json.dumps({name: dataclasses.asdict(each) for name, each in built(options).items()}, indent=2))


def run_load(options: argparse.Namespace) -> None:
    """The quick loop of a developer."""
    images = built(options)
    with Steps().step(f"loading images into the cluster {options.cluster}", usually="1 to 20 s"):
        for each in images.values():
            into_embedded(Cluster(options.cluster), each)
    print(json.dumps({name: each.reference for name, each in images.items()}, indent=2))


def run_stage(options: argparse.Namespace) -> None:
    for name in images_in(options):
        print(stage(recipe.ALL_IMAGES[name], recipe.machine_named(platform.machine()), cache_folder()))


def run_pin(options: argparse.Namespace) -> None:
    claude.pin(options.version, cache_folder())


def run_prune(options: argparse.Namespace) -> None:
    store = Store(cache_folder())
    with store.locked():
        if options.all:
            store.forget_everything()
        else:
            store.forget_old()


def run_skaffold(options: argparse.Namespace) -> None:
    """What skaffold calls for one image: it says in IMAGE how to name the result, and in PUSH_IMAGE whether to push it."""
    (name,) = images_in(options)
    push = os.environ.get("PUSH_IMAGE") == "true"
    if push and not recipe.ALL_IMAGES[name].public:
        raise BuildError(
            f"The image {name} contains the Claude Code CLI, which may not be published, so skaffold does not push it. "
            "Use a local cluster, or push it yourself to a registry that only you can read."
        )
    options.engine = "docker"
    wanted = os.environ["IMAGE"]
    subprocess.run(["docker", "tag", built(options)[name].reference, wanted], check=True)
    if push:
        subprocess.run(["docker", "push", wanted], check=True)


if __name__ == "__main__":
    sys.exit(main())
