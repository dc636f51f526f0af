"""Messages for property tests: any that a codec must carry."""

from hypothesis import strategies as st

from fluxcore.wire import constants as c
from fluxcore.wire.message import Message

u32 = st.integers(0, 0xFFFFFFFF)
semantic_flags = st.integers(0, 0xFF).map(lambda bits: bits & c.SEMANTIC_FLAGS)
topics = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
route_stacks = st.none() | st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), max_size=5
).map(tuple)
payloads = st.none() | st.binary(max_size=600)


def messages(
    types: tuple[int, ...] = (c.REQUEST, c.RESPONSE, c.EVENT, c.CONTROL),
) -> st.SearchStrategy[Message]:
    """Any message of one of ``types``, with a raw payload."""
    return st.builds(
        Message,
        st.sampled_from(types),
        st.none() | topics,
        payloads,
        flags=semantic_flags,
        userid=u32,
        rolemask=u32,
        aux1=u32,
        aux2=u32,
        routes=route_stacks,
    )


def fields(msg: Message) -> tuple[object, ...]:
    """All that a message is, to be compared."""
    return (
        msg.type,
        msg.topic,
        msg.data,
        msg.flags,
        msg.userid,
        msg.rolemask,
        msg.aux1,
        msg.aux2,
        msg.routes,
    )
