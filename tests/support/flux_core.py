"""Starting an instance of flux-core, whose rc1 needs a shell on PATH."""

#: Arguments of flux-core's flux command before those of the instance's own.
START = ("env", "/bin/sh", "-c", 'PATH="$PATH:/usr/bin:/bin" exec flux start "$@"', "sh")
