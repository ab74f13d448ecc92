"""Errors raised on purpose, and the exit codes that follow from them."""

from __future__ import annotations

import pytest

from nrunner import errors
from nrunner.errors import ExitCode, NrunnerError

CLASSES = [getattr(errors, name) for name in errors.__all__ if name != "ExitCode"]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_has_a_common_root_and_says_what_it_is(error):
    assert issubclass(error, NrunnerError)
    assert error.__doc__


@pytest.mark.parametrize("error", CLASSES)
def test_what_the_user_asked_wrongly_and_what_went_wrong_have_different_exit_codes(error):
    asked = error.__name__ in ("UsageError", "ConfigError")
    assert error("x").exit_code == (ExitCode.USAGE if asked else ExitCode.JOB_FAILED)


def test_exit_codes_are_the_bits_that_users_know():
    codes = {code.name: code.value for code in ExitCode}
    assert codes == {"TESTS_FAILED": 1, "JOB_FAILED": 2, "USAGE": 4, "INTERRUPTED": 8}
    assert ExitCode.OK == 0


def test_exit_codes_add_up():
    assert int(ExitCode.TESTS_FAILED | ExitCode.INTERRUPTED) == 9


def test_all_names_in_the_module_are_public():
    classes = [name for name, value in vars(errors).items() if isinstance(value, type)]
    assert sorted(classes) == sorted(errors.__all__)
