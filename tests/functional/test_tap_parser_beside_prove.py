"""Random TAP gets the verdict of prove's own parser, TAP::Parser."""

from __future__ import annotations

import random
import subprocess
from collections import Counter

from nrunner.result import Result
from nrunner.runners.base import Exit
from nrunner.runners.tap import verdict
from nrunner.runners.tap_parser import TapParser

COUNT = 4000

PROVE = r"""
use strict; use warnings; use TAP::Parser; use TAP::Parser::Iterator::Stream;
$SIG{__WARN__} = sub {};
local $/ = "\0";
while (defined(my $text = <STDIN>)) {
    chomp $text;
    local $/ = "\n";
    open my $file, "<", \$text or die;
    my $parser = TAP::Parser->new({iterator => TAP::Parser::Iterator::Stream->new($file)});
    my $bailed = 0;
    while (defined(my $line = $parser->next)) { $bailed = 1 if $line->is_bailout }
    my $failed = $bailed || $parser->failed || $parser->parse_errors;
    my $ran = $parser->tests_run;
    my $skipped = $parser->skip_all || ($ran && $parser->skipped == $ran);
    print $failed ? "failed" : $skipped ? "skipped" : "passed", "\n";
}
"""

LINES = """
1..1|1..2|1..3|1..0|1..0 # SKIP why|1..0 # skipped: x|1..0 # SKIP|1..2 # SKIP why|1..2 todo 1
1..3 todo 2 3;|1..2_|1..2 apples|1..1 # comment|1..|1..x|01..2
ok|ok 1|ok 1 - a|ok 2|ok 2 # SKIP b|ok 3|not ok|not ok 1|not ok 2 # TODO x|not ok 3 # todo
not ok 1 # SKIP|not ok 2 # skipped|ok 1 # TODO x|ok 2 - issue #3 # TODO x|not ok 1 \\# TODO
ok1|ok - x|ok_1|OK 1|Not ok 1|ok 1 todo|okay|not okay|not  ok 1|ok 01|ok 1.5|ok #TODO x
not ok # TODO|not ok#todo x|ok 1 # Skip|ok 2 - TODO|not ok 3 - b # TODO\\#|_ok 1|____ok 1
____1..1|____not ok 1|not_|not|TAP version 13|tap version 13|TAP version 12|TAP version 99
pragma +strict|pragma -strict|pragma +strict, -bail|pragma foo|# c||noise
Bail out! x|__Bail out! y|bail out!|__---+__x: 1+__...
"""
CHOICES = [
    each.replace("_", " ").replace("+  ", "\n  ")
    for line in LINES.strip().splitlines()
    for each in line.split("|")
]
"""In LINES "_" stands for a space, and "+" before two of them for the end of a line."""

END = "# the end\n"
"""TAP::Parser stumbles over a last line that says "not" and no more."""


def text(chance: random.Random) -> str:
    """Return a proper output with some lines too many, or just any lines."""
    if chance.random() < 0.3:
        return "".join(f"{chance.choice(CHOICES)}\n" for _ in range(chance.randint(0, 7))) + END
    count = chance.randint(0, 3)
    ends = ("", " - d", " # TODO x", " # SKIP s")
    lines = [
        f"{'not ' if chance.random() < 0.2 else ''}ok {number}{chance.choice(ends)}"
        for number in range(1, count + 1)
    ]
    lines.insert(chance.choice((0, count)), f"1..{count}")
    lines[:0] = ["TAP version 13"][: chance.random() < 0.4]
    for _ in range(chance.randint(0, 3)):
        lines.insert(chance.randint(0, len(lines)), chance.choice(CHOICES))
    return "\n".join([*lines, END])


def ours(content: str) -> str:
    parser = TapParser()
    parser.feed(content.encode())
    result = verdict(parser.close(), Exit(0)).result
    if result is Result.SKIP:
        return "skipped"
    return "passed" if result is not None and result.is_ok else "failed"


def test_random_tap_gets_the_verdict_of_taps_own_parser() -> None:
    chance = random.Random(20_13)
    texts = [text(chance) for _ in range(COUNT)]
    done = subprocess.run(
        ["perl", "-e", PROVE], input="\0".join(texts), capture_output=True, text=True, check=True
    )
    expected = done.stdout.split()
    assert len(expected) == COUNT
    assert min(Counter(expected).values()) > COUNT // 20, Counter(expected)
    different = [
        (content, theirs, ours(content))
        for content, theirs in zip(texts, expected, strict=True)
        if ours(content) != theirs
    ]
    assert different == []
