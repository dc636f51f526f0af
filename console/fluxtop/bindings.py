"""Key bindings made from the table of actions."""

from collections.abc import Mapping

from textual.binding import Binding, BindingType

from fluxtop.actions import Action, of_scope


def bindings(*scopes: str) -> list[BindingType]:
    """The bindings of scopes, for a widget's BINDINGS; the keymap file changes them by id."""
    return [
        Binding(",".join(action.keys), action.call, action.label, show=False, id=action.id)
        for scope in scopes
        for action in of_scope(scope)
        if action.keys
    ]


_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "space": "space",
}


def key_name(key: str) -> str:
    """How a key is shown: ``?`` for Textual's ``question_mark``, ``^p`` for ``ctrl+p``."""
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+')}"
    return _SHOWN.get(key, key)


def keys_of(action: Action, keymap: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of an action, as the user's keymap has them."""
    mapped = keymap.get(action.id)
    return tuple(mapped.split(",")) if mapped else action.keys
