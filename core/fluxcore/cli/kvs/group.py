"""``flux kvs``."""

from typing import Final

from fluxcore.cli.command import Group

KVS: Final = Group(
    "flux-kvs",
    "",
    "Common commands from flux-kvs",
    {
        "namespace": ("fluxcore.cli.kvs.namespace:NAMESPACE", "Work with namespaces"),
        "get": ("fluxcore.cli.kvs.get:GET", "Print the value of a key"),
        "put": ("fluxcore.cli.kvs.put:PUT", "Store a value under a key"),
        "dir": ("fluxcore.cli.kvs.dir:DIR", "Print the keys in a directory and their values"),
        "ls": ("fluxcore.cli.kvs.ls:LS", "List a directory"),
        "unlink": ("fluxcore.cli.kvs.unlink:UNLINK", "Remove a key"),
        "link": ("fluxcore.cli.kvs.link:LINK", "Make a symbolic link"),
        "readlink": ("fluxcore.cli.kvs.link:READLINK", "Print what a symbolic link refers to"),
        "mkdir": ("fluxcore.cli.kvs.mkdir:MKDIR", "Make a directory"),
        "copy": ("fluxcore.cli.kvs.copy:COPY", "Copy a key to another key"),
        "move": ("fluxcore.cli.kvs.copy:MOVE", "Move a key to another key"),
        "version": ("fluxcore.cli.kvs.root:VERSION", "Print the version of the root"),
        "wait": ("fluxcore.cli.kvs.root:WAIT", "Wait for a version of the root"),
        "getroot": ("fluxcore.cli.kvs.root:GETROOT", "Print a reference to the root"),
    },
)
