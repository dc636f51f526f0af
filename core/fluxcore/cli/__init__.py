"""The `flux` command and its subcommands, a file each."""
