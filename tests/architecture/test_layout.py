"""Things are where a newcomer looks for them, and small; each rule is shown to fail on a planted tree."""

from __future__ import annotations

from pathlib import Path

from tests.architecture import exemptions, layout
from tests.architecture.tree import REPOSITORY, expect_none, plant

LONG = "\n".join(["x = 1"] * (layout.MODULE_LINES + 1)) + "\n"
LONG_FUNCTION = "class A:\n    def f(self):\n" + "        x = 1\n" * layout.FUNCTION_LINES


def test_only_the_named_packages_exist() -> None:
    expect_none(layout.stray_packages(REPOSITORY))


def test_a_package_that_nobody_named_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"utils/text.py": "", "setup.py": "", "gateway/errors.py": "", "docs/index.md": ""})
    assert [found.split()[0] for found in layout.stray_packages(tmp_path)] == ["setup.py", "utils/"]


def test_every_module_has_a_test_file_of_its_own() -> None:
    expect_none(layout.unmirrored_modules(REPOSITORY, exemptions.UNMIRRORED))


def test_a_module_without_a_test_file_is_found(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "health/core/verdict.py": "",
            "health/prober.py": "",
            "health/targets.py": "",
            "health/__init__.py": "",
            "tests/unit/health/core/test_verdict.py": "",
            "tests/integration/health/test_prober.py": "",
            "tests/unit/test_targets.py": "",
        },
    )
    assert list(layout.unmirrored_modules(tmp_path, {})) == [
        "health/targets.py has no test, expected tests/unit/health/test_targets.py"
    ]
    assert list(layout.unmirrored_modules(tmp_path, {"health/targets.py": "shown by the prober's test"})) == []


def test_no_unit_test_outlives_its_module() -> None:
    expect_none(layout.orphaned_tests(REPOSITORY))


def test_a_unit_test_of_nothing_is_found(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "config/units.py": "",
            "config/models/__init__.py": "",
            "tests/unit/config/test_units.py": "",
            "tests/unit/config/test_models.py": "",
            "tests/unit/config/test_gone.py": "",
        },
    )
    assert list(layout.orphaned_tests(tmp_path)) == [
        "tests/unit/config/test_gone.py mirrors nothing, expected config/gone.py"
    ]


def test_modules_are_small() -> None:
    expect_none(layout.long_modules(REPOSITORY, exemptions.LONG_MODULES))


def test_a_long_module_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"sync/log.py": LONG, "sync/clock.py": ""})
    assert list(layout.long_modules(tmp_path, {})) == ["sync/log.py has 401 lines, expected at most 400"]


def test_functions_are_small() -> None:
    expect_none(layout.long_functions(REPOSITORY, exemptions.LONG_FUNCTIONS))


def test_a_long_function_is_found_by_its_whole_name(tmp_path: Path) -> None:
    plant(tmp_path, {"gateway/thing.py": LONG_FUNCTION})
    assert list(layout.long_functions(tmp_path, {})) == ["gateway/thing.py::A.f has 61 lines, expected at most 60"]
    assert list(layout.long_functions(tmp_path, {"gateway/thing.py::A.f": "the hot path, 2 us less inlined"})) == []


def test_an_excuse_that_is_not_needed_or_gives_no_reason_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"gateway/thing.py": LONG_FUNCTION})
    found = list(layout.long_functions(tmp_path, {"gateway/thing.py::A.f": " ", "gateway/gone.py::f": "it was long"}))
    assert [sentence.split(" in ")[1].split("exemptions.py ")[1] for sentence in found] == [
        "without a reason",
        "and needs no excuse",
    ]


def test_a_docstring_makes_no_function_long(tmp_path: Path) -> None:
    prose = "    '''What it does.\n" + "    And why.\n" * 100 + "    '''\n"
    plant(tmp_path, {"gateway/thing.py": "def f():\n" + prose + "    return 1\n"})
    assert list(layout.long_functions(tmp_path, {})) == []


def test_every_module_starts_by_saying_what_it_is_for() -> None:
    expect_none(layout.speechless_modules(REPOSITORY))


def test_a_module_without_a_docstring_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"chaos/experiment.py": "x = 1\n", "chaos/__init__.py": "'''Faults.'''\n"})
    assert [found.split()[0] for found in layout.speechless_modules(tmp_path)] == ["chaos/experiment.py"]


def test_modules_are_named_after_what_they_are() -> None:
    expect_none(layout.placeless_names(REPOSITORY))


def test_a_name_that_says_nothing_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"gateway/utils.py": "", "health/common/x.py": "", "health/lease.py": ""})
    assert [found.split()[0] for found in layout.placeless_names(tmp_path)] == [
        "gateway/utils.py",
        "health/common/x.py",
    ]


def test_tests_are_no_packages() -> None:
    expect_none(layout.tests_as_packages(REPOSITORY))


def test_an_init_file_among_the_tests_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"tests/unit/__init__.py": "", "gateway/__init__.py": ""})
    assert [found.split()[0] for found in layout.tests_as_packages(tmp_path)] == ["tests/unit/__init__.py"]
