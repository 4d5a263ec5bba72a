from __future__ import annotations

from bench.machine import build, facts, processor


def test_the_processor_is_named() -> None:
    assert processor("processor : 0\nmodel name\t: Some CPU @ 3 GHz\n") == "Some CPU @ 3 GHz"


def test_where_a_kernel_names_none_the_architecture_stands_for_it() -> None:
    assert processor("") != ""


def test_the_facts_say_when_and_of_what() -> None:
    found = facts("2030-01-01 00:00 UTC")
    assert found["date"] == "2030-01-01 00:00 UTC"
    assert {"commit", "processor", "kernel", "Python"} <= found.keys()


def test_an_interpreter_says_how_it_was_built() -> None:
    assert build("'--enable-shared' '--enable-optimizations'").startswith("built with ")
    assert build("'--enable-shared'").startswith("built without ")
