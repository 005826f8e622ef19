"""What a run of pytest says of tests that the chosen cluster cannot serve."""

import pytest

from cluster.provision.selection import MARKERS, Selection
from demonstration.choice import Sort
from demonstration.errors import CannotRunHere

pytest_plugins = ["pytester"]

TESTS = """
import pytest

from cluster.provision.selection import KEPT

@pytest.fixture(scope="session")
def cluster(pytestconfig):
    yield
    pytestconfig.stash[KEPT] = ["somebody's cluster is kept"]

@pytest.fixture
def bed(cluster):
    return None

def test_anywhere(bed):
    pass

@pytest.mark.embedded("it stops the API server")
def test_special(bed):
    pass

@pytest.mark.image("sshserver")
def test_with_another_image(bed):
    pass

def test_without_cluster():
    pass
"""


class Plugin(Selection):
    """As conftest.py registers it."""

    def pytest_configure(self, config: pytest.Config) -> None:
        for marker in MARKERS:
            config.addinivalue_line("markers", marker)


def run(pytester: pytest.Pytester, sort: Sort, environment: dict[str, str] | None = None) -> pytest.RunResult:
    pytester.makepyfile(TESTS)
    return pytester.runpytest_inprocess("-p", "no:asyncio", "--strict-markers", plugins=[Plugin(lambda: sort, environment or {})])


CONFTEST = """
from cluster.provision.selection import MARKERS, Selection

def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(Selection(lambda: "SORT", {}))
"""


def run_with_workers(pytester: pytest.Pytester, sort: Sort, count: int) -> pytest.RunResult:
    """Workers are other processes: they take the plug-in from conftest.py."""
    pytester.makepyfile(TESTS)
    pytester.makeconftest(CONFTEST.replace("SORT", sort))
    return pytester.runpytest_inprocess("-p", "no:asyncio", "-n", str(count))


def refuse() -> Sort:
    raise CannotRunHere("There is no cluster for the test run here.")


def test_on_the_embedded_cluster_every_test_runs(pytester: pytest.Pytester) -> None:
    result = run(pytester, "embedded")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["cluster: the embedded cluster"])
    result.stdout.no_fnmatch_line("*left out*")


def test_elsewhere_a_test_for_the_embedded_cluster_is_deselected_and_named_with_the_reason(pytester: pytest.Pytester) -> None:
    result = run(pytester, "kind")
    result.assert_outcomes(passed=3, deselected=1)
    result.stdout.fnmatch_lines(
        ["cluster: kind", "*left out on this cluster*", "*::test_special: only the embedded cluster can do this: it stops the API server"]
    )


@pytest.mark.parametrize("arguments", [(), ("-x",)], ids=["a whole run", "a run that is stopped"])
def test_what_is_left_of_a_cluster_is_told(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    pytester.makepyfile(TESTS + "\ndef test_that_fails(bed):\n    raise AssertionError\n\ndef test_later(bed):\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:asyncio", *arguments, plugins=[Plugin(lambda: "kind", {})])
    result.stdout.fnmatch_lines(["*= kept =*", "somebody's cluster is kept"])
    assert result.outlines.count("somebody's cluster is kept") == 1


@pytest.mark.parametrize(("environment", "deselected"), [({}, 2), ({"SSHSERVER_IMAGE": "r/sshserver:1"}, 1)])
def test_on_a_given_cluster_a_test_of_another_image_runs_once_that_is_named(
    pytester: pytest.Pytester, environment: dict[str, str], deselected: int
) -> None:
    result = run(pytester, "given", environment=environment)
    result.assert_outcomes(passed=4 - deselected, deselected=deselected)
    assert ("SSHSERVER_IMAGE is not set" in result.stdout.str()) == (deselected == 2)


def test_where_there_is_no_cluster_the_run_ends_with_one_sentence(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "no:asyncio", plugins=[Plugin(refuse, {})])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "There is no cluster for the test run here." in result.stdout.str() + result.stderr.str()


def test_tests_that_need_no_cluster_run_without_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("-p", "no:asyncio", "-k", "without_cluster", plugins=[Plugin(refuse, {})])
    result.assert_outcomes(passed=1, deselected=3)


# With workers of pytest-xdist


def test_with_workers_the_run_says_once_which_cluster_it_was(pytester: pytest.Pytester) -> None:
    result = run_with_workers(pytester, "embedded", 2)
    result.assert_outcomes(passed=4)
    assert result.outlines.count("cluster: the embedded cluster") == 1


def test_one_worker_may_have_any_cluster_and_what_is_left_out_is_told(pytester: pytest.Pytester) -> None:
    result = run_with_workers(pytester, "kind", 1)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["cluster: kind", "*left out on this cluster*", "*::test_special: only the embedded cluster can do this*", "*= kept =*", "somebody's cluster is kept"]
    )


def test_several_workers_do_not_get_one_cluster(pytester: pytest.Pytester) -> None:
    result = run_with_workers(pytester, "kind", 2)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.assert_outcomes()
    assert [line for line in result.outlines + result.errlines if "ERROR: 2 workers can't share a cluster" in line and 'ARGS="-n 0"' in line]
