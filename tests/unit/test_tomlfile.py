import contextlib

import pytest

from nrunner import tomlfile
from nrunner.errors import ConfigError
from nrunner.inventory import read_inventory
from nrunner.jobfile import read_job
from nrunner.tomlfile import read_toml, toml_line_of

DOCUMENT = """\
# a comment with [brackets] and "quotes
title = "x # no comment"

[run]
max_parallel_tasks = 4   # comment
env = { A = "1",
  B = "]" }
"quoted.key" = 1
text = \"\"\"
[not.a.table]
fake = 1
\"\"\"
list = [
  1, # ]
  [2, 3],
]
after.dots.here = true

[[suite]]
name = 'one'
run.grace = 1

[[suite]]
name = 'two'
[suite.run]
grace = 2.5
[[suite.inner]]
[[suite.inner]]
deep = 1

[[suite]]
[[suite.inner]]
deep = 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("run",), 4),
        (("run", "max_parallel_tasks"), 5),
        (("run", "env"), 6),
        (("run", "env", "B"), 6),
        (("run", "quoted.key"), 8),
        (("run", "text"), 9),
        (("run", "list"), 13),
        (("run", "list", 1), 13),
        (("run", "after", "dots", "here"), 17),
        (("run", "after"), 17),
        (("suite",), 19),
        (("suite", 0, "name"), 20),
        (("suite", 0, "run", "grace"), 21),
        (("suite", 1, "name"), 24),
        (("suite", 1, "run", "grace"), 26),
        (("suite", 1, "inner", 0), 27),
        (("suite", 1, "inner", 1, "deep"), 29),
        (("suite", 2), 31),
        (("suite", 2, "inner", 0, "deep"), 33),
        (("nowhere",), None),
    ],
)
def test_the_line_of_what_a_path_leads_to(path, line):
    assert toml_line_of(DOCUMENT, path) == line


def test_what_is_not_there_has_the_line_of_the_table_around_it():
    assert toml_line_of(DOCUMENT, ("suite", 1, "nothing")) == 23


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nb = \n", "job.toml:2: not valid TOML: invalid value"),
        (b"a = 1\na = 2\n", "job.toml:2: not valid TOML: cannot overwrite a value"),
        (b"a = [1,\n2\n", "job.toml:2: not valid TOML: unclosed array"),
        (b"a = 1\nb = '\xff'\n", "job.toml:2: not UTF-8 text"),
        (b"a = " + b"[" * 9999, "nested too deeply"),
    ],
)
def test_broken_toml_is_named_with_file_and_line(tmp_path, content, message):
    file = tmp_path / "job.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_toml(file)
    assert message in str(caught.value)


def test_a_folder_is_no_toml_file(tmp_path):
    with pytest.raises(ConfigError, match="is a directory"):
        read_toml(tmp_path)


def test_a_file_with_carriage_returns_is_read(tmp_path):
    file = tmp_path / "x.toml"
    file.write_bytes(b"a = 1\r\nb = 2\r\n")
    assert read_toml(file).where(("b",)) == f"{file}:2"


@pytest.mark.parametrize(
    ("read", "entry"),
    [
        (read_job, '[[suite]]\nname = "{}"\nreferences = ["a"]\nrun.grace = 1\n'),
        (read_inventory, '[dut.{}]\naddress = "192.0.2.7"\n'),
        (read_inventory, "[dut.{}]\nport = 0\n"),
    ],
)
def test_the_lines_of_a_file_are_looked_up_once_however_much_is_in_it(
    tmp_path, monkeypatch, read, entry
):
    texts = []
    statements = tomlfile._statements
    monkeypatch.setattr(tomlfile, "_statements", lambda text: texts.append(1) or statements(text))
    file = tmp_path / "x.toml"
    file.write_text("".join(entry.format(number) for number in range(50)))
    with contextlib.suppress(ConfigError):
        read(file)
    assert len(texts) == 1
