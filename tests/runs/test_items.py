"""Data sets of tasks: files, and names of the box."""

from __future__ import annotations

from pathlib import Path

import pytest

import swarmmind
from swarmmind.errors import SpecError
from swarmmind.evals.datasets import Item
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.rows import doubts, read_items
from swarmmind.spec import DatasetProblem, load_task


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path


def plan(folder: Path, problem: str, score: str = "") -> Plan:
    text = f"problem: {problem}\nmodel: scripted\nswarm: {{agents: {{solver: 1}}, topology: solo}}\n"
    path = folder / "task.yaml"
    path.write_text(text + (f"score: {score}\n" if score else ""))
    return make_plan(load_task(path, env={}))


def refused(folder: Path, problem: str, score: str = "") -> str:
    with pytest.raises(SpecError) as caught:
        plan(folder, problem, score)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.removeprefix(f"{folder}/")


def test_a_data_set_of_the_box_is_made_with_its_parameters_cut_to_the_limit_and_scored_its_own_way(work: Path) -> None:
    made = plan(work, "{dataset: arithmetic, size: 30, seed: 4, limit: 3}")
    whole = plan(work, "{dataset: arithmetic, size: 9, seed: 4}")
    assert made.items == whole.items[:3]
    assert made.scoring is not None
    assert [made.scoring.score(f"The sum is {item.target}.", item.target) for item in made.items] == [1.0, 1.0, 1.0]
    assert made.items != plan(work, "{dataset: arithmetic, size: 3, seed: 5}").items


def test_a_score_of_the_task_goes_before_the_data_sets_own(work: Path) -> None:
    made = plan(work, "{dataset: arithmetic, size: 1}", "{use: number, tolerance: 1}")
    assert made.scoring is not None
    assert made.scoring.score(str(int(made.items[0].target) + 1), made.items[0].target) == 1.0


WRONG = {
    "{dataset: aritmetic}": "task.yaml:1:20: problem.dataset: must be a .jsonl or .csv file, or one of the box, "
    "got 'aritmetic'; did you mean 'arithmetic'?",
    "{dataset: arithmetic, sise: 3}": "task.yaml:1:38: problem.sise: unknown parameter; did you mean 'size'?",
    "{dataset: arithmetic, size: many}": "task.yaml:1:38: problem.size: must be a valid integer, got 'many'",
    "{dataset: arithmetic, size: 0}": "task.yaml:1:38: problem.size: size must be between 1 and 1,000,000, got 0",
    "{dataset: arithmetic, fields: {target: a}}": "task.yaml:1:40: problem.fields: says which columns of a file hold "
    "what; 'arithmetic' is no file",
}


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_wrong_with_a_named_data_set_is_said_at_its_place(problem: str, work: Path) -> None:
    assert refused(work, problem) == WRONG[problem]


def test_a_misspelt_key_beside_a_file_is_named(work: Path) -> None:
    (work / "a.jsonl").write_text('{"problem": "a"}\n')
    message = "task.yaml:1:37: problem.limits: unknown key; did you mean 'limit'?"
    assert refused(work, "{dataset: a.jsonl, limits: 3}") == message


def rows(folder: Path, text: str, problem: str = "{dataset: a.csv}", score: str = "exact") -> list[Item]:
    name = "a.csv" if "a.csv" in problem else "a.jsonl"
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return plan(folder, problem, score).items


def test_csv_is_read_with_a_byte_order_mark_quoted_newlines_blank_lines_and_spare_columns(work: Path) -> None:
    text = '\ufeffproblem,target,kind,spare\r\n"What is\n1 + 1?",2,sum,x\r\n\r\n,,,\r\n"Say ""hi"", now",hi,,\r\n'
    assert rows(work, text) == [Item("What is\n1 + 1?", "2", "sum"), Item('Say "hi", now', "hi", "")]


BROKEN_CSV = {
    "problem,target\na,1\nb\n": "a.csv:3:1: must have 2 cells as the header has, got 1",
    'problem,target\n"a\n\nb",1\nb,2,3\n': "a.csv:5:1: must have 2 cells as the header has, got 3",
    'problem,target\na,1\n"b,2\n': "a.csv:3:1: not CSV: unexpected end of data",
    'problem,target\n"a"b,1\n': "a.csv:2:1: not CSV: ',' expected after '\"'",
    "problem,target\na,1\nb,\n": "a.csv:3:1: must have a column 'target', and it is empty",
    'problem,target\na,1\n"  ",2\n': "a.csv:3:1: the problem is empty (see problem.fields)",
    "problem,goal\na,1\n": "a.csv:1:1: must have a column 'target' (see problem.fields), got columns 'problem', 'goal'",
    "problem,,target\na,b,1\n": "a.csv:1:1: the header names no column 2; the first row must name them all",
    "problem,target,target\na,b,1\n": "a.csv:1:1: the header names column 'target' twice",
    "problem,target\n": "a.csv:1:1: the data set is empty",
    "": "a.csv:1:1: the data set is empty",
}


@pytest.mark.parametrize("text", BROKEN_CSV)
def test_a_broken_row_of_a_csv_file_is_named_with_the_line_it_begins_at(text: str, work: Path) -> None:
    (work / "a.csv").write_text(text)
    assert refused(work, "{dataset: a.csv}", "exact") == BROKEN_CSV[text]


def test_rows_beyond_the_limit_are_not_read(work: Path) -> None:
    assert len(rows(work, "problem,target\na,1\nb\n", "{dataset: a.csv, limit: 1}")) == 1


ROW = '{"problem": "q", "target": "a"}\n'
GSM8K = r"""{"question": "2 and 40?", "answer": "2 and 40 are <<2+40=42>>42.\n#### 42"}
{"question": "A thousand?", "answer": "#### 1,000"}
"""
MAPPED = r"{dataset: a.jsonl, fields: {problem: question, target: answer, extract: '####\s*(.+)'}}"


def test_columns_are_mapped_and_targets_extracted(work: Path) -> None:
    assert rows(work, GSM8K, MAPPED) == [Item("2 and 40?", "42"), Item("A thousand?", "1,000")]


def test_a_target_in_which_nothing_is_found_is_named(work: Path) -> None:
    (work / "a.jsonl").write_text(GSM8K + '{"question": "q", "answer": "none"}\n')
    found = "a.jsonl:3:1: problem.fields.extract: found nothing in the target 'none'"
    assert refused(work, MAPPED, "exact") == found


def test_an_extraction_that_takes_too_long_is_named_and_not_waited_for(work: Path) -> None:
    (work / "a.jsonl").write_text('{"problem": "q", "target": "' + "a," * 400 + '"}\n')
    found = "a.jsonl:1:1: problem.fields.extract: takes too long on this target"
    assert refused(work, "{dataset: a.jsonl, fields: {extract: '(?:.*?,){25}x'}}", "exact") == found


def test_several_right_answers_are_a_list(work: Path) -> None:
    text = '{"problem": "q", "target": ["#### a", "#### b"]}\n'
    assert rows(work, text, "{dataset: a.jsonl}")[0].target == ["#### a", "#### b"]
    assert rows(work, text, "{dataset: a.jsonl, fields: {extract: '#### (.)'}}")[0].target == ["a", "b"]


CHOICES = """fields:
      problem: |-
        {{ question }}
        A) {{ options_1 }}
        B) {{ options_2 }}
      target: "{% if Correct_Answer == 0 %}A{% else %}B{% endif %}"
      kind: subject"""


def test_multiple_choice_is_put_together_from_columns_and_cells_are_never_templates(work: Path) -> None:
    line = '{"question": "{{ subject }}?", "options": ["{% if %}", 2], "Correct Answer": 1, "subject": "odd"}\n'
    (item,) = rows(work, line, f"\n    dataset: a.jsonl\n    {CHOICES}", "{use: choice, options: [A, B]}")
    assert item == Item("{{ subject }}?\nA) {% if %}\nB) 2", "B", "odd")


def test_a_template_that_names_no_column_is_told_with_its_row(work: Path) -> None:
    (work / "a.csv").write_text("problem,target\na,1\n")
    found = refused(work, "{dataset: a.csv, fields: {problem: '{{ problme }}'}}", "exact")
    assert found == "a.csv:2:1: problem.fields: {{ problme }}: unknown name; did you mean 'problem'?"


FIELDS = {
    "{problem: '{{ a'}": "1:36: problem.fields.problem: not a valid template",
    "{problem: '{% for a in b %}{% endfor %}'}": "1:36: problem.fields.problem: a template may hold names, filters",
    "{extract: '('}": "1:36: problem.fields.extract: not a regular expression",
    "{extract: '(a)(b)'}": "1:36: problem.fields.extract: must have one group, what is wanted, and no other, got 2",
    "{problme: a}": "1:27: problem.fields.problme: unknown key; did you mean 'problem'?",
}


@pytest.mark.parametrize("fields", FIELDS)
def test_wrong_fields_are_said_at_their_place_before_a_row_is_read(fields: str, work: Path) -> None:
    (work / "a.csv").write_text("")
    message = refused(work, f"{{dataset: a.csv, fields: {fields}}}", "exact")
    assert FIELDS[fields].partition(": ")[2] in message
    assert message.startswith("task.yaml:1:")


def test_rows_that_are_there_twice_or_contradict_each_other_are_counted() -> None:
    items = [Item("a", "1"), Item("b", "1"), Item("a", "1"), Item("b", "2"), Item("a", "1")]
    assert doubts(items) == [
        "3 of 5 problems stand in the data set before, word for word",
        "1 of these have another target than before",
    ]
    assert doubts(items[:2]) == []


def test_the_result_of_a_run_says_that_problems_are_there_twice(work: Path) -> None:
    rows(work, ROW * 3, "{dataset: a.jsonl}")
    result = swarmmind.run_sync(work / "task.yaml", runs=work / "runs", env={})
    assert "2 of 3 problems stand in the data set before, word for word" in result.warnings


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_many_rows_are_read_with_a_template_and_an_extraction(name: str, work: Path) -> None:
    if name == "a.csv":
        lines = ["question,answer", *(f"What is {at} + 1?,so it is #### {at + 1}" for at in range(20_000))]
    else:
        lines = [f'{{"question": "What is {at} + 1?", "answer": "so it is #### {at + 1}"}}' for at in range(20_000)]
    (work / name).write_text("\n".join(lines))
    problem = DatasetProblem.model_validate(
        {"dataset": name, "fields": {"problem": "Q: {{ question }}", "target": "answer", "extract": "#### (.+)"}}
    )
    items = read_items(problem, work, scored=True)
    assert (len(items), items[-1]) == (20_000, Item("Q: What is 19999 + 1?", "20000"))


def test_half_a_surrogate_pair_in_a_row_becomes_a_sign_and_a_whole_one_stays(work: Path) -> None:
    (work / "a.jsonl").write_text(r'{"problem": "half \ud83d", "target": ["\uD83D", "\ud83d\ude00"]}')
    [item] = plan(work, "{dataset: a.jsonl}", "exact").items
    assert (item.text, item.target) == ("half \ufffd", ["\ufffd", "\N{GRINNING FACE}"])
