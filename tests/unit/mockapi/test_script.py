"""Which step is due, read from the conversation alone."""

import json
from typing import Any

import pytest

from mockapi.errors import BadScript
from mockapi.script import due_step, last_prompt
from unit.mockapi.calls import assistant, script, tool_result, tool_use, user

STEPS = script({"text": "zero"}, {"text": "one"}, {"text": "two"})


def due(*messages: dict[str, Any], **body: Any) -> str | None:
    return due_step({"messages": list(messages), **body}).step.text


def test_the_first_answer_is_the_first_step() -> None:
    assert due(user(STEPS)) == "zero"


def test_each_assistant_turn_is_a_step() -> None:
    assert due(user(STEPS), tool_use("Bash"), tool_result("out")) == "one"
    assert due(user(STEPS), tool_use("Bash"), tool_result("out"), tool_use("Bash"), tool_result("out")) == "two"


def test_past_the_end_the_answer_is_done() -> None:
    assert due(user(script({"text": "only"})), assistant("only"), user("more")) == "done"


def test_a_later_prompt_without_a_script_goes_on_with_the_script() -> None:
    assert due(user(STEPS), assistant("zero"), user("The pod was replaced. Verify your last action.")) == "one"


def test_a_later_script_replaces_the_earlier_one() -> None:
    assert due(user(STEPS), assistant("zero"), user(script({"text": "new"}))) == "new"


def test_a_prompt_may_stand_in_the_same_message_as_the_script() -> None:
    assert due(user("<system-reminder>today</system-reminder>", STEPS, "Go on.")) == "zero"


def test_a_prompt_may_be_a_plain_string() -> None:
    assert due({"role": "user", "content": STEPS}) == "zero"


def test_one_turn_stored_in_parts_counts_once() -> None:
    assert due(user(STEPS), assistant("ze"), assistant("ro"), user("go on")) == "one"


def test_a_system_message_between_two_turns_keeps_them_apart() -> None:
    assert due(user(STEPS), assistant("zero"), {"role": "system", "content": "note"}, assistant("one"), user("go on")) == "two"


def test_a_turn_that_was_cut_off_is_played_again_after_a_resume() -> None:
    filler = assistant("No response requested.")
    assert due(user(STEPS), tool_use("Bash"), tool_result("out"), filler, user("Go on.")) == "one"


def test_a_tool_result_is_not_the_users_word() -> None:
    assert due(user(STEPS), tool_use("Bash"), tool_result(script({"text": "injected"}))) == "one"


def test_a_script_inside_a_script_belongs_to_the_subagent() -> None:
    inner = script({"text": "inner"})
    outer = user(script({"tool": "Task", "input": {"prompt": inner}}, {"text": "outer"}))
    step = due_step({"messages": [outer]}).step
    assert step.tools[0].input["prompt"] == inner
    assert due(user(inner)) == "inner"
    assert due(outer, tool_use("Task"), tool_result("inner")) == "outer"


def test_an_expected_text_is_found_in_history_tool_results_and_system_prompt() -> None:
    step = {"expect": ["from history", "from tool", "from system"], "text": "all there"}
    now = user(script(step), "x")
    history = [user("from history"), assistant("ok")]
    assert due(*history, now, assistant("no"), user(script(step)), system=[{"type": "text", "text": "from system"}]) != "all there"
    assert due(*history, tool_use("Bash"), tool_result("from tool"), now, system="from system") == "all there"


def test_a_directive_does_not_satisfy_its_own_expectation() -> None:
    assert due(user(script({"expect": "needle", "text": "found"}))) == "mockapi: the conversation lacks 'needle'"
    assert due(user(script({"expect": "needle", "text": "found"}) + " needle")) == "found"


def test_what_is_missing_may_be_answered_by_another_step() -> None:
    assert due(user(script({"expect": "needle", "text": "found", "else": "lost"}))) == "lost"
    step = due_step({"messages": [user(script({"expect": "needle", "else": {"fault": {"status": 400}}}))]}).step
    assert step.fault is not None
    assert step.fault.status == 400


@pytest.mark.parametrize("text", ["MOCK:[", "MOCK:[{]", 'MOCK:[{"text": "x"}'])
def test_a_directive_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BadScript, match="not JSON"):
        due(user(text))


def test_without_a_script_the_answer_says_who_answers_and_echoes_the_prompt() -> None:
    text = due(user("<system-reminder>today</system-reminder>", "Say   hello\nto the team"))
    assert text is not None
    assert "mock API" in text
    assert "“Say hello to the team”" in text


def test_a_long_prompt_is_echoed_in_part() -> None:
    text = due(user("word " * 1000))
    assert text is not None
    assert len(text) < 700


def test_the_last_prompt_is_no_reminder() -> None:
    assert last_prompt([user("first"), assistant("x"), user("second", "<system-reminder>late</system-reminder>")]) == "second"


def test_structured_output_is_handed_over_once() -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    tools = [{"name": "Bash", "input_schema": {}}, {"name": "StructuredOutput", "input_schema": schema}]
    first = due_step({"messages": [user("what?")], "tools": tools}).step
    assert first.tools[0].name == "StructuredOutput"
    assert first.tools[0].input == {"answer": 0}
    then = due(user("what?"), tool_use("StructuredOutput"), tool_result("ok"), tools=tools)
    assert then is not None
    assert "mock API" in then
    again = due_step({"messages": [user("what?"), tool_use("StructuredOutput"), tool_result("ok"), user("and now?")], "tools": tools}).step
    assert again.tools[0].input == {"answer": 0}


def test_a_step_is_the_same_on_another_server() -> None:
    messages = [user(STEPS), tool_use("Bash"), tool_result("out")]
    assert due_step({"messages": messages}) == due_step({"messages": json.loads(json.dumps(messages))})
