"""`make demo` and `make demo-down`; the package demonstration says how it works.

    python hack/demo.py up      a cluster, Stint in it, one session to its answer
    python hack/demo.py down    removes what `up` made

KUBECONFIG, CONTEXT: a cluster of yours; then also OPERATOR_IMAGE, AGENT_IMAGE, MOCKAPI_IMAGE. CLUSTER: name of the demo's own cluster.
"""

import os
import shutil
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO / "hack"), str(REPO / "tests")]

from demonstration import record, story  # noqa: E402
from demonstration.choice import choose, look  # noqa: E402
from demonstration.clusters import cluster_of, own_kubeconfigs  # noqa: E402
from demonstration.errors import DemoError  # noqa: E402
from devcluster.errors import DevclusterError  # noqa: E402
from imagebuild.errors import BuildError  # noqa: E402
from steps import Steps  # noqa: E402


def main(arguments: list[str]) -> int:
    actions = {"up": up, "down": down}
    if len(arguments) != 1 or arguments[0] not in actions:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        actions[arguments[0]](os.environ.get("CLUSTER") or "stint")
    except (DemoError, DevclusterError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return error.exit_code
    except BuildError as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; `make demo` goes on from here, `make demo-down` removes it", file=sys.stderr)
        return 130
    return 0


def up(name: str) -> None:
    """From nothing, or from whatever an earlier run left, to an answer."""
    steps = Steps()
    earlier = record.load(name)
    sort = choose(look(os.environ, own_kubeconfigs(name)))
    if earlier and earlier.sort != sort:
        raise DemoError(f"The last demo ran on another cluster ({earlier.sort}): run `make demo-down` first.")
    cluster = cluster_of(sort, name, os.environ.get("KUBECONFIG", ""), os.environ.get("CONTEXT", ""))
    if sort == "given" and not earlier:
        story.refuse_foreign_install(cluster.tools())
    record.save(cluster.record)
    cluster.start(steps)
    images = cluster.images(steps)
    tools = cluster.tools()
    story.install(tools, images, steps)
    session = story.say_hello(tools, steps)
    missing = [program for program in ("kubectl", "helm") if not shutil.which(program)]
    print(story.closing_words(session, cluster.record, {program: tools.find(program) for program in missing}, steps.seconds()))


def down(name: str) -> None:
    """Remove what the last `up` made, wherever that was."""
    found = record.load(name)
    if found is None:
        print("demo: there is nothing to remove", file=sys.stderr)
        return
    cluster_of(found.sort, name, found.kubeconfig, found.context).remove(Steps())
    record.forget(name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
