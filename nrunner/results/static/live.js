// Where data come from when a job runs: from its status server.

