"""Words for a person, and text that is safe to print."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.text import duration, escape, escape_lines, meant, one_line, quoted, words

ANY_TEXT = st.text(alphabet="a\\xn\n\r\x1b\x07\u202e\udcff鴨é ", max_size=12)
NAMES = st.binary(min_size=1, max_size=40).map(os.fsdecode)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("photo.jpg", "photo.jpg"),
        ("été 北京 🌻.jpg", "été 北京 🌻.jpg"),
        ("a\nb\r\t.jpg", "a\\nb\\r\\t.jpg"),
        ("\x1b[31mred\x07.jpg", "\\x1b[31mred\\x07.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
        ("gpj.\u202eevil", "gpj.\\u202eevil"),
        ("back\\nslash", "back\\\\nslash"),
    ],
)
def test_shown_names_are_one_line_of_harmless_text(name: str, line: str) -> None:
    assert escape(name) == line


@given(NAMES)
def test_shown_names_can_always_be_written_and_never_break_a_line(name: str) -> None:
    text = escape(name)
    assert text.isprintable()
    assert text.encode().decode() == text


@given(NAMES, NAMES)
def test_two_names_are_never_shown_alike(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) == (one == other)


@given(ANY_TEXT)
def test_what_leaves_the_program_is_harmless_and_is_escaped_only_once(name: str) -> None:
    assert one_line(name).isprintable()
    assert one_line(escape(name)) == escape(name)
    assert one_line(one_line(name)) == one_line(name)
    assert all(line.isprintable() for line in escape_lines(name).split("\n"))


def test_lines_stay_lines_and_all_else_is_escaped() -> None:
    assert escape_lines("a\n\x1b[2J\\\nb") == "a\n    \\x1b[2J\\\n    b"
    assert one_line("a\nb\udcff") == "a\\nb\\xff"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3.21, "3.2 s"), (45, "45 s"), (65, "1 min 05 s"), (7810, "2 h 10 min"), (273_700, "3 d 4 h")],
)
def test_a_duration_has_the_units_that_a_person_uses(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_choices_are_listed_in_a_sentence() -> None:
    assert [words("a"), words("ab"), words("abc", "and")] == ["a", "a or b", "a, b and c"]


def test_what_the_user_wrote_is_quoted_short() -> None:
    assert quoted("a\n") == "'a\\n'"
    assert quoted("x" * 61) == f"'{'x' * 60}…'"
    assert [quoted(None), quoted({}), quoted([[]])] == ["nothing", "a group of settings", "a list"]


def test_a_near_miss_is_guessed_whatever_its_case() -> None:
    assert meant("STRARY", ["starry", "ink"]) == "did you mean starry?"
    assert meant("x" * 1000, ["starry"]) == meant("ink", []) == ""
