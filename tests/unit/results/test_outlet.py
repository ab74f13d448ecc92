import io
import os

from nrunner.results.outlet import Outlet


class Broken(io.StringIO):
    def __init__(self, error):
        super().__init__()
        self.error = error
        self.tried = 0

    def write(self, _text):
        self.tried += 1
        raise self.error


def test_a_stream_that_nobody_reads_is_left_alone_after_the_first_try():
    stream = Broken(BrokenPipeError())
    outlet = Outlet(stream)
    outlet.write("a")
    outlet.write("b")
    assert stream.tried == 1
    assert not outlet.is_open


def test_a_closed_stream_raises_nothing():
    stream = io.StringIO()
    stream.close()
    outlet = Outlet(stream)
    outlet.write("a")
    assert not outlet.is_open


def test_after_a_broken_pipe_nothing_is_left_that_python_complains_of_at_its_end():
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    outlet = Outlet(stream)
    outlet.write("x" * 100)
    assert not outlet.is_open
    stream.write("more")
    stream.close()


def test_a_pipe_that_does_not_block_is_made_to():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with os.fdopen(writer, "w") as stream:
        Outlet(stream).write("x")
        assert os.get_blocking(writer)
    os.close(reader)


def test_a_stream_that_holds_only_ascii_gets_escapes():
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="ascii")
    Outlet(stream).write("é 日\n")
    assert buffer.getvalue() == b"\\xe9 \\u65e5\n"


def test_nothing_is_written_for_nothing():
    stream = Broken(OSError())
    Outlet(stream).write("")
    assert stream.tried == 0
