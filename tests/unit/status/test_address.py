import stat

import pytest

from nrunner.errors import ConfigError, ResultsError
from nrunner.status.address import TOKEN_FILE, tcp_options


def test_a_token_is_made_and_kept_where_only_its_user_can_read_it(tmp_path):
    options = tcp_options("127.0.0.1:0", None, tmp_path)
    kept = tmp_path / TOKEN_FILE
    assert (options.host, options.port) == ("127.0.0.1", 0)
    assert kept.read_text() == options.token + "\n"
    assert len(options.token) >= 32
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert options.token not in repr(options)


def test_a_token_of_ones_own_comes_from_a_file(tmp_path):
    (tmp_path / "mine").write_text("  secret\n")
    options = tcp_options("[::1]:4711", str(tmp_path / "mine"), tmp_path)
    assert (options.host, options.port, options.token) == ("::1", 4711, "secret")
    assert not (tmp_path / TOKEN_FILE).exists()


@pytest.mark.parametrize("content", ["", " \n", None])
def test_a_file_without_a_token_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "mine").write_text(content)
    with pytest.raises(ConfigError, match=r"status\.token_file"):
        tcp_options("localhost:1", str(tmp_path / "mine"), tmp_path)


def test_a_token_that_cannot_be_kept_is_told(tmp_path):
    with pytest.raises(ResultsError, match="keep a token"):
        tcp_options("localhost:1", None, tmp_path / "nowhere")
