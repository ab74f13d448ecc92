"""What people may see of a command line."""

import json

import pytest

from nrunner.commandline import public_command
from nrunner.requirement import FLAG


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:pass@host/f.bin?token=secret", "http://host/f.bin?..."),
        (
            "curl https://user:pass@host/f -H 'x: http://a:b@c/d?e'",
            "curl https://host/f -H 'x: http://c/d?...",
        ),
        ("http://host/f.bin", "http://host/f.bin"),
        ("f.bin?x", "f.bin?x"),
    ],
)
def test_what_is_secret_of_a_url_is_struck_out_of_a_command_line(uri: str, shown: str) -> None:
    def words(uri: str) -> tuple[str, ...]:
        text = json.dumps([{"type": "asset", "uri": uri, "locations": [uri]}])
        return "run", FLAG, text, f"{FLAG}={text}", "-p", "A=http://b/?c"

    assert public_command(words(uri)) == words(shown)


def test_urls_are_found_however_json_writes_them() -> None:
    text = r'{"uri": "http:\/\/user:pa\"ss\u0040host\/f"}'
    assert public_command([text]) == ('{"uri": "http://host/f"}',)


@pytest.mark.parametrize("word", ['{"type":  "noop"}', "[1", "[" * 100_000, "[ab]*.py", FLAG, ""])
def test_words_of_a_command_line_without_secrets_stay_as_they_are(word: str) -> None:
    assert public_command([word]) == (word,)
