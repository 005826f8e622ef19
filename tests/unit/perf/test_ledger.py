"""The benchmark of the ledger runs without a cluster, so it is tried here, at a hundredth of its size."""

from pathlib import Path

from perf.benchmark import Setting
from perf.ledger import LEDGER, budgets, sessions
from stint.budgets.amounts import NOTHING
from stint.budgets.ledger import Ledger


def test_it_yields_every_figure_that_the_page_shows(tmp_path: Path) -> None:
    outcome = LEDGER.measure(Setting("unused", tmp_path, scale=0.02))
    assert set(outcome.values) == {figure.name for figure in LEDGER.figures}
    assert all(value > 0 for value in outcome.values.values())


def test_every_session_passes_seven_limits() -> None:
    ledger = Ledger("stint-system")
    (session,) = sessions(1)
    for budget in budgets():
        ledger.put_budget(budget, session.settled[1].end)
    ledger.observe(session, session.settled[1].end)
    assert sum(len(account.meters) for account in ledger.accounts_of(session.uid)) == 7
    assert ledger.ask(session.uid, NOTHING, session.settled[1].end).admitted
