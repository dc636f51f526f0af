"""The numbers of RFC 3 (messages) and RFC 12 (roles)."""

from typing import Final

REQUEST: Final = 0x01
RESPONSE: Final = 0x02
EVENT: Final = 0x04
CONTROL: Final = 0x08

#: Flag bits of the proto frame. TOPIC, PAYLOAD and ROUTE say which frames follow; a
#: :class:`~fluxcore.wire.message.Message` derives them and never stores them.
TOPIC: Final = 0x01
PAYLOAD: Final = 0x02
NORESPONSE: Final = 0x04
ROUTE: Final = 0x08
UPSTREAM: Final = 0x10
PRIVATE: Final = 0x20
STREAMING: Final = 0x40
USER1: Final = 0x80

#: The flags that carry meaning beyond the frame layout.
SEMANTIC_FLAGS: Final = NORESPONSE | UPSTREAM | PRIVATE | STREAMING | USER1

NODEID_ANY: Final = 0xFFFFFFFF
USERID_UNKNOWN: Final = 0xFFFFFFFF

ROLE_NONE: Final = 0
ROLE_OWNER: Final = 1
ROLE_USER: Final = 2
ROLE_LOCAL: Final = 4
ROLE_ADMIN: Final = 8
ROLE_ALL: Final = 0xFFFFFFFF

TYPE_NAMES: Final = {REQUEST: "request", RESPONSE: "response", EVENT: "event", CONTROL: "control"}
