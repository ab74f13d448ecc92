"""Suites with settings of their own, and tests that are made rather than looked for."""

import nrunner

sizes = [
    nrunner.Runnable("exec-test", "/usr/bin/test", (str(size), "-lt", "100"), identifier=f"size-{size}")
    for size in (1, 10, 100)
]
job = nrunner.Job(
    [
        nrunner.Suite(["../programs"], "quick", settings={"run.task_timeout": "10s"}),
        nrunner.Suite(name="made", runnables=sizes),
    ]
)
for test in job.run().tests:
    print(f"{test.suite:5}  {test.result.value:4}  {test.id}  {test.detail}")
