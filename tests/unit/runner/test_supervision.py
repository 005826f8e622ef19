"""The runner as a process, around a scripted CLI: how attempts end, and what the log and the termination message say of it."""

from __future__ import annotations

import os
import shutil

import pytest

from unit.runner.kit import INIT, INTERRUPTED_RESULT, TRANSCRIPT, Pod, answered, result, turn, until


async def test_an_answer_ends_the_attempt_with_success(pod: Pod) -> None:
    pod.script = answered("The test passes now.", num_turns=3)

    ended = await pod.run()

    assert ended.code == 0
    assert ended.message == {
        "version": 1,
        "attempt": 1,
        "outcome": "Succeeded",
        "text": "The test passes now.",
        "structured": None,
        "truncated": False,
        "error": None,
        "turns": 3,
        "conversation": "11111111-2222-5333-8444-555555555555",
        "resumed": False,
        "firstRequestSeconds": None,
        "tools": [],
    }
    assert ended.errors == ""


async def test_the_log_is_the_transcript_and_ends_with_the_result(pod: Pod) -> None:
    pod.script = answered()

    ended = await pod.run()

    assert ended.log[:2] == [INIT, result()]
    assert ended.log[-1] == {"type": "stint_result", **ended.message}
    assert ended.of_type("control_response") == []


async def test_the_prompt_is_the_only_user_message(pod: Pod) -> None:
    pod.script = answered()

    await pod.run(prompt="Fix it")

    (message,) = pod.received("user")
    assert message["message"] == {"role": "user", "content": "Fix it"}
    assert [entry["request"]["subtype"] for entry in pod.received("control_request")] == ["initialize"]


async def test_the_time_of_the_first_request_is_told(pod: Pod) -> None:
    pod.script = answered(request_sent_wall_ms=4102444800000)

    ended = await pod.run()

    assert ended.message["firstRequestSeconds"] > 0


async def test_a_conversation_with_a_user_message_is_resumed_with_the_text_of_the_reason(pod: Pod) -> None:
    pod.transcript(TRANSCRIPT)
    pod.script = answered()

    ended = await pod.run(reason="Retry", attempt=2)

    assert ended.message["resumed"] is True
    assert "--resume=11111111-2222-5333-8444-555555555555" in pod.started()["argv"]
    assert "outcome of your last action is unknown" in pod.received("user")[0]["message"]["content"]


async def test_a_finished_session_that_runs_again_is_given_its_prompt_again(pod: Pod) -> None:
    pod.transcript(TRANSCRIPT)
    pod.script = answered()

    ended = await pod.run(reason="Again", attempt=2)

    assert ended.message["resumed"] is True
    assert "--resume=11111111-2222-5333-8444-555555555555" in pod.started()["argv"]
    assert pod.received("user")[0]["message"]["content"] == "Fix the failing test"


async def test_a_transcript_without_a_user_message_is_set_aside(pod: Pod) -> None:
    path = pod.transcript('{"type":"queue-operation"}\n')
    pod.script = answered()

    ended = await pod.run(reason="Retry", attempt=2)

    assert ended.message["resumed"] is False
    assert not path.exists()
    assert pod.received("user")[0]["message"]["content"] == "Fix the failing test"


async def test_sigterm_interrupts_the_turn_and_is_no_failure(pod: Pod) -> None:
    running = pod.root / "running"
    pod.script = turn({"emit": INIT}, {"touch": str(running)}, {"await_interrupt": True}, {"emit": INTERRUPTED_RESULT})

    ended = await pod.stopped_when(running)

    assert (ended.code, ended.message["outcome"], ended.message["error"]) == (1, "Interrupted", None)
    assert [entry["request"]["subtype"] for entry in pod.received("control_request")] == ["initialize", "interrupt"]
    assert pod.recorded()[-1] == {"eof": True}


async def test_an_answer_that_comes_with_sigterm_is_still_a_success(pod: Pod) -> None:
    running = pod.root / "running"
    pod.script = turn({"emit": INIT}, {"touch": str(running)}, {"await_interrupt": True}, {"emit": result("just in time")})

    ended = await pod.stopped_when(running)

    assert (ended.message["outcome"], ended.message["text"]) == ("Succeeded", "just in time")


async def test_a_cli_that_listens_to_nothing_is_killed_inside_the_grace_period(pod: Pod) -> None:
    running = pod.root / "running"
    pod.script = turn({"emit": INIT}, {"touch": str(running)}, {"await": "/nowhere"}) | {"ignore_eof": True, "ignore_term": True}

    ended = await pod.stopped_when(running, graceSeconds=1)

    assert (ended.code, ended.message["outcome"]) == (1, "Interrupted")


async def test_sigterm_before_the_prompt_sends_no_prompt(pod: Pod) -> None:
    started = pod.root / "started"
    pod.script = {"initialize": "silence", "before": [{"touch": str(started)}]}

    ended = await pod.stopped_when(started)

    assert ended.message["outcome"] == "Interrupted"
    assert pod.received("user") == []


async def test_the_time_limit_interrupts_and_fails(pod: Pod) -> None:
    pod.script = turn({"emit": INIT}, {"await_interrupt": True}, {"emit": INTERRUPTED_RESULT})

    ended = await pod.run(timeoutSeconds=0.5)

    assert (ended.message["outcome"], ended.message["error"]["class"]) == ("Failed", "Timeout")


async def test_a_killed_cli_is_a_crash_that_names_memory(pod: Pod) -> None:
    pod.script = turn({"emit": INIT}, {"kill": 9})

    ended = await pod.run()

    assert ended.message["error"]["class"] == "AgentCrashed"
    assert "ran out of memory" in ended.message["error"]["message"]


async def test_a_cli_that_ends_without_a_result_tells_its_last_words(pod: Pod) -> None:
    pod.script = turn({"emit": INIT}, {"stderr": "something broke"}, {"exit": 3})

    ended = await pod.run()

    assert ended.message["error"] == {
        "class": "AgentCrashed",
        "message": "the CLI ended with exit code 3 before it gave a result: something broke",
        "apiStatus": None,
        "resetsAt": None,
    }
    assert ended.of_type("stint_stderr") == [{"type": "stint_stderr", "text": "something broke"}]


async def test_garbage_is_wrapped_and_the_session_goes_on(pod: Pod) -> None:
    pod.script = turn({"emit": INIT}, {"raw": "not json"}, {"raw": "[1]"}, {"raw": ""}, {"emit": result()})

    ended = await pod.run()

    assert ended.message["outcome"] == "Succeeded"
    assert [line["text"] for line in ended.of_type("stint_stdout")] == ["not json", "[1]"]


async def test_lines_of_many_mebibytes_pass(pod: Pod) -> None:
    pod.script = turn({"emit": INIT}, {"big": 10 << 20}, {"emit": result()})

    ended = await pod.run()

    (event,) = ended.of_type("user")
    assert len(event["padding"]) == 10 << 20
    assert ended.message["outcome"] == "Succeeded"


async def test_a_question_of_the_cli_is_declined(pod: Pod) -> None:
    question = {"type": "control_request", "request_id": "q", "request": {"subtype": "can_use_tool"}}
    pod.script = turn({"emit": question}, {"emit": INIT}, {"emit": result()})

    await pod.run()

    assert pod.received("control_response")[0]["response"]["subtype"] == "error"


async def test_what_goes_on_in_the_background_may_change_the_answer(pod: Pod) -> None:
    busy = {"type": "system", "subtype": "background_tasks_changed", "tasks": [{"task_id": "a"}]}
    idle = {**busy, "tasks": []}
    pod.script = turn({"emit": INIT}, {"emit": busy}, {"emit": result("wait for it")}, {"emit": idle}, {"emit": INIT}, {"emit": result("finished")})

    ended = await pod.run()

    assert (ended.message["text"], ended.message["turns"]) == ("finished", 2)


@pytest.mark.parametrize(("changes", "outcome"), [({}, "Interrupted"), ({"timeoutSeconds": 0.5}, "Succeeded")])
async def test_an_answer_that_something_may_still_change_is_final_only_if_nobody_resumes(pod: Pod, changes: dict[str, float], outcome: str) -> None:
    waiting = pod.root / "waiting"
    busy = {"type": "system", "subtype": "background_tasks_changed", "tasks": [{"task_id": "a"}]}
    pod.script = turn({"emit": INIT}, {"emit": busy}, {"emit": result("wait for it")}, {"touch": str(waiting)})
    pod.describe(**changes)
    process = await pod.start()
    await until(waiting.exists)
    if not changes:
        process.terminate()

    ended = await pod.end(process)

    assert ended.message["outcome"] == outcome


async def test_an_orphan_that_holds_the_pipes_does_not_hold_the_attempt(pod: Pod) -> None:
    release = pod.root / "release"
    pod.script = turn({"emit": INIT}, {"orphan": str(release)}, {"kill": 9})

    ended = await pod.run()

    assert ended.message["error"]["class"] == "AgentCrashed"
    release.touch()


async def test_a_log_that_nobody_reads_does_not_outlast_the_grace_period(pod: Pod) -> None:
    running = pod.root / "running"
    pod.script = turn({"emit": INIT}, {"touch": str(running)}, {"big": 10 << 20}, {"await_interrupt": True}, {"emit": INTERRUPTED_RESULT})
    read_end, write_end = os.pipe()
    pod.describe(graceSeconds=2)
    process = await pod.start(stdout=write_end)
    os.close(write_end)
    await until(running.exists)
    process.terminate()

    ended = await pod.end(process)

    assert ended.message["outcome"] == "Interrupted"
    os.close(read_end)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="a process 1 of its own needs root and unshare")
async def test_as_process_1_it_is_interrupted_and_leaves_no_zombies(pod: Pod) -> None:
    release, proceed, running = pod.root / "release", pod.root / "proceed", pod.root / "running"
    pod.script = turn(
        {"emit": INIT},
        {"orphan": str(release)},
        {"touch": str(running)},
        {"await": str(proceed)},
        {"raw": "zombies checked"},
        {"await_interrupt": True},
        {"emit": INTERRUPTED_RESULT},
    )
    pod.describe()
    process = await pod.start(prefix=("unshare", "--pid", "--fork", "--kill-child", "--mount-proc"))
    await until(running.exists)
    assert len(_children(process.pid)) == 2, "the CLI and the orphan"
    release.touch()
    await until(lambda: len(_children(process.pid)) == 1)  # a zombie would stay in the list
    proceed.touch()
    os.kill(_runner(process.pid), 15)

    ended = await pod.end(process)

    assert ended.message["outcome"] == "Interrupted"


def _runner(unshare: int) -> int:
    with open(f"/proc/{unshare}/task/{unshare}/children") as file:
        return int(file.read().split()[0])


def _children(unshare: int) -> set[int]:
    runner = _runner(unshare)
    with open(f"/proc/{runner}/task/{runner}/children") as file:
        return {int(pid) for pid in file.read().split()}
