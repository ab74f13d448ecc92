"""A job from Python: run it, and look at what became of its tests."""

import nrunner

job = nrunner.Job(["../programs", "../tap"], {"run.max_parallel_tasks": 2}, console=True)
result = job.run()
print(f"{len(result.tests)} tests, {len(result.failed)} of them failed; logs are in {result.folder}")
raise SystemExit(int(result.exit_code))
