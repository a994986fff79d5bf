"""What an error shows of a file or of a driver's words is never a secret."""

from __future__ import annotations

import pytest

from diagkit.errors import SourceAccessError, SourceFormatError
from diagkit.sources.refusals import refuse
from diagkit.sources.remote import RemoteFile, remote_errors
from diagkit.sources.variables import substitute
from diagkit.sources.yamltrees import read_trees

SECRET = "Zq7xWv9KpLm2"


@pytest.mark.parametrize("text", ["a$!{}", "${{!{}}}", "$-{}", "${{{}"])
def test_a_dollar_sign_in_a_password_shows_no_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"begins no variable") as raised:
        substitute(text.format(SECRET), {}, lambda *_: None)
    assert SECRET[:3] not in str(raised.value)


@pytest.mark.parametrize("text", ["a: !{}", "a: *{}", "a: !x!{}", "a: '{}", "a: %{}"])
def test_yaml_that_is_none_shows_no_value(text: str) -> None:
    with pytest.raises(SourceFormatError) as raised:
        read_trees(text.format(SECRET), "compose.yaml")
    assert SECRET not in str(raised.value)


def test_words_are_redacted_before_they_are_cut() -> None:
    # The password stands across the place where the words are cut.
    words = "x" * 170 + f" postgresql://app:{SECRET}{SECRET}{SECRET}@db/app"
    with pytest.raises(SourceAccessError) as raised:
        refuse("db", OSError(words))
    assert SECRET not in str(raised.value)
    with (
        pytest.raises(SourceAccessError) as raised,
        remote_errors(RemoteFile("memory://a.log")),
    ):
        raise OSError(words)
    assert SECRET not in str(raised.value)
