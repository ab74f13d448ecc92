"""Two jobs at once, in an event loop that does other things meanwhile."""

import asyncio

import nrunner


async def main() -> None:
    """Run two jobs, and give up the one that takes too long."""
    quick = nrunner.Job(["/bin/true"])
    slow = nrunner.Job(nrunner.Suite(runnables=[nrunner.Runnable("exec-test", "sleep", ("60",))]))
    first, second = await asyncio.gather(quick.run_async(), stopped_after(0.5, slow))
    print("quick:", first.tests[0].result.value)
    print("slow:", second.tests[0].result.value, "-", second.interrupted)


async def stopped_after(seconds: float, job: nrunner.Job) -> nrunner.JobResult:
    """Run a job, and stop it if it is not over in time."""
    asyncio.get_running_loop().call_later(seconds, job.stop)
    return await job.run_async()


asyncio.run(main())
