"""Running a job's tasks: spawning, standard IO, exit codes."""
